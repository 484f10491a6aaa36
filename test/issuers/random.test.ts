import { describe, expect, it } from "vitest";
import { randomValue } from "../../src/adapters/issuers/random/random.ts";
import { ENCODINGS, generationOf } from "../../src/core/generate.ts";
import { policyOf } from "../../src/core/policy.ts";

describe("random values", () => {
  it.each([
    { encoding: "base64url", bytes: 32, shape: /^[A-Za-z0-9_-]{43}$/ },
    { encoding: "base64", bytes: 32, shape: /^[A-Za-z0-9+/]{43}=$/ },
    { encoding: "hex", bytes: 32, shape: /^[0-9a-f]{64}$/ },
    { encoding: "alphanumeric", bytes: 32, shape: /^[A-Za-z0-9]{43}$/ },
    { encoding: "alphanumeric", bytes: 16, shape: /^[A-Za-z0-9]{22}$/ },
  ] as const)("$bytes bytes as $encoding are $shape, and differ every time", ({ shape, ...options }) => {
    const made = Array.from({ length: 50 }, () => randomValue(options).reveal());
    for (const value of made) expect(value).toMatch(shape);
    expect(new Set(made).size).toBe(made.length);
  });

  it("letters and digits come equally often", () => {
    const counts = new Map<string, number>();
    for (const character of randomValue({ encoding: "alphanumeric", bytes: 46_000 }).reveal()) {
      counts.set(character, (counts.get(character) ?? 0) + 1);
    }
    // About 1,000 each; a remainder of bytes would give the first 8 characters 25 % more than the others.
    expect(counts.size).toBe(62);
    const chi = [...counts.values()].reduce((sum, count) => sum + (count - 997) ** 2 / 997, 0);
    expect(chi).toBeLessThan(130);
  });

  it.each(ENCODINGS)("a policy may ask for %s", (encoding) => {
    const policy = { generate: { random: { bytes: 24, encoding } } };
    expect(generationOf(policyOf(policy)).get("value")).toEqual({ bytes: 24, encoding });
  });

  it.each([
    { random: { bytes: 8 } },
    { random: { bytes: 2_000 } },
    { random: { bytes: 16.5 } },
    { random: { encoding: "rot13" } },
    { uuid: {} },
    "random",
  ])("%j is refused", (generate) => {
    expect(() => generationOf(policyOf({ generate }))).toThrow(
      expect.objectContaining({ code: "INPUT_INVALID" }),
    );
  });
});
