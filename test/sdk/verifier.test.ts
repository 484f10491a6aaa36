import { createHash, timingSafeEqual } from "node:crypto";
import { inspect } from "node:util";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createVerifier, createVerifierWith } from "../../src/sdk/verify/verifier.ts";

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.constantFrom("", "a", "b", "\ud800", "\udfff", "\ufffd", "é", "e\u0301"),
);
const value = fc.option(text, { nil: undefined });

describe("a verifier", () => {
  it("accepts exactly the configured values", () => {
    fc.assert(
      fc.property(value, value, value, (primary, fallback, presented) => {
        const verifier = createVerifier({ name: "KEY", source: () => ({ primary, fallback }) });
        for (const sent of [presented, primary, fallback]) {
          const slot = sent === primary ? "primary" : sent === fallback ? "fallback" : null;
          const expected =
            slot === null || sent === undefined || sent === ""
              ? { accepted: false }
              : { accepted: true, slot };
          expect(verifier.verify(sent)).toEqual(expected);
        }
      }),
    );
  });

  it.each([
    ["the primary value", "new"],
    ["the fallback", "old"],
    ["a wrong value", "wrong"],
    ["an empty value", ""],
    ["no value", undefined],
  ])("compares %s with both slots, also with empty ones", (_what, presented) => {
    const equal = vi.fn(timingSafeEqual);
    for (const values of [{ primary: "new", fallback: "old" }, { primary: "new" }, {}]) {
      const verifier = createVerifierWith({ name: "KEY", source: () => values }, equal);
      equal.mockClear();
      verifier.verify(presented);
      expect(equal).toHaveBeenCalledTimes(2);
      expect(equal.mock.calls.flat().map((bytes) => bytes.byteLength)).toEqual([32, 32, 32, 32]);
      expect(
        new Set(equal.mock.calls.map(([, slot]) => Buffer.from(slot as Buffer).toString("hex"))).size,
      ).toBe(2);
    }
  });

  it("reads the environment at every use, and refuses all while it holds nothing", () => {
    vi.stubEnv("SDK_KEY", "one");
    const verifier = createVerifier({ name: "SDK_KEY" });
    expect(verifier.verify("one").accepted).toBe(true);
    vi.stubEnv("SDK_KEY", "");
    expect([verifier.verify("one"), verifier.verify("")]).toEqual([{ accepted: false }, { accepted: false }]);
    vi.stubEnv("SDK_KEY_FALLBACK", "two");
    expect(verifier.verify("two")).toEqual({ accepted: true, slot: "fallback" });
    vi.unstubAllEnvs();
  });

  it("keeps the last values when its function fails, and tells once", () => {
    const told: unknown[] = [];
    let fails = false;
    const source = () => {
      if (fails) throw new Error("canary-in-cause");
      return { primary: "one" };
    };
    const verifier = createVerifier({ name: "KEY", source, onSourceError: (error) => told.push(error) });
    fails = true;
    expect([verifier.verify("one").accepted, verifier.verify("one").accepted]).toEqual([true, true]);
    expect(told).toHaveLength(1);
    expect(inspect(told)).not.toContain("canary");
  });

  it("is not disturbed by a listener that throws, and shows no value", () => {
    const onUse = vi.fn(() => {
      throw new Error("no");
    });
    const verifier = createVerifier({ name: "KEY", source: () => ({ primary: "canary-31" }), onUse });
    expect(verifier.verify("canary-31", { caller: "web" }).accepted).toBe(true);
    expect(onUse).toHaveBeenCalledWith({ slot: "primary", caller: "web" });
    const shown =
      inspect(verifier, { depth: 9, showHidden: true }) + JSON.stringify([verifier, verifier.usage()]);
    expect(shown).not.toContain("canary");
  });
});

describe("use counts", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"], now: 1_000_000 }));
  afterEach(() => void vi.useRealTimers());

  /** A model: counts by value, forgotten when the value leaves. */
  it("belong to the value, whatever slot it stands in", () => {
    const letter = fc.constantFrom("a", "b", "c");
    const step = fc.oneof(
      fc.record({
        primary: fc.option(letter, { nil: undefined }),
        fallback: fc.option(letter, { nil: undefined }),
      }),
      fc.record({ send: letter, caller: fc.constantFrom("web", "cron", undefined, "not a name") }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        let values: { primary?: string | undefined; fallback?: string | undefined } = {};
        const verifier = createVerifier({ name: "KEY", source: () => values });
        let model = new Map<string, { count: number; callers: Record<string, number> }>();
        let gone = 0;
        let refused = 0;
        for (const one of steps) {
          if ("send" in one) {
            verifier.verify(one.send, { caller: one.caller });
            const entry = model.get(one.send);
            if (entry === undefined) {
              refused += 1;
              continue;
            }
            entry.count += 1;
            const name = one.caller === "not a name" ? "other" : one.caller;
            if (name !== undefined) entry.callers[name] = (entry.callers[name] ?? 0) + 1;
          } else {
            values = one;
            verifier.usage();
            const held: readonly string[] = [one.primary, one.fallback].filter((item) => item !== undefined);
            gone += [...model.keys()].filter((item) => !held.includes(item)).length;
            model = new Map(held.map((item) => [item, model.get(item) ?? { count: 0, callers: {} }]));
          }
        }
        const report = verifier.usage();
        const counted = [report.slots.primary, report.slots.fallback].map((slot) =>
          slot === null
            ? undefined
            : {
                count: slot.count,
                callers: Object.fromEntries(
                  Object.entries(slot.callers).map(([name, { count }]) => [name, count]),
                ),
              },
        );
        expect(counted).toEqual([values.primary, values.fallback].map((item) => model.get(item ?? "")));
        expect(report.refused.count).toBe(refused);
        expect(report.gone).toHaveLength(gone);
      }),
    );
  });

  it("keep their id on the way from primary to fallback, and stay for an hour after", () => {
    let values: { primary: string; fallback?: string } = { primary: "canary-old" };
    const verifier = createVerifier({ name: "KEY", source: () => values });
    verifier.verify("canary-old", { caller: "web" });
    const id = verifier.usage().slots.primary?.id;
    values = { primary: "canary-new", fallback: "canary-old" };
    expect(verifier.usage().slots.fallback).toMatchObject({ id, count: 1 });
    expect(verifier.usage().slots.primary?.id).not.toBe(id);
    values = { primary: "canary-new" };
    expect(verifier.usage().gone).toMatchObject([{ id, count: 1, callers: { web: { count: 1 } } }]);
    expect(JSON.stringify(verifier.usage())).not.toContain("canary");
    vi.setSystemTime(Date.now() + 3_599_999);
    expect(verifier.usage().gone).toHaveLength(1);
    vi.setSystemTime(Date.now() + 1);
    expect(verifier.usage().gone).toEqual([]);
  });

  it("answer a challenge for each slot, and hold no answer without one", () => {
    const verifier = createVerifier({ name: "KEY", source: () => ({ primary: "grün", fallback: "old" }) });
    const bytes = Buffer.alloc(32, 7);
    const { slots, nonce } = verifier.usage({ nonce: bytes.toString("base64url") });
    const answer = (held: string) => createHash("sha256").update(bytes).update(held).digest("hex");
    expect([slots.primary?.answer, slots.fallback?.answer]).toEqual([answer("grün"), answer("old")]);
    expect(nonce).toBe(bytes.toString("base64url"));
    expect(verifier.usage().slots.primary?.answer).toBeNull();
  });

  it.each(["", "short", "!".repeat(43), Buffer.alloc(33).toString("base64url"), `${"A".repeat(42)}B`])(
    "refuse the nonce %j",
    (nonce) => {
      const verifier = createVerifier({ name: "KEY", source: () => ({ primary: "one" }) });
      expect(() => verifier.usage({ nonce })).toThrow(TypeError);
    },
  );

  it("name a bounded number of callers, and only what is a name", () => {
    const verifier = createVerifier({ name: "KEY", source: () => ({ primary: "one" }), maxCallers: 2 });
    verifier.verify("wrong", { caller: "stranger" });
    for (const caller of ["a", "b", "c", "a", "__proto__", "x y", "e\nf", "l".repeat(65)]) {
      verifier.verify("one", { caller });
    }
    const counts = Object.entries(verifier.usage().slots.primary?.callers ?? {});
    expect(counts.map(([name, { count }]) => [name, count])).toEqual([
      ["a", 2],
      ["b", 1],
      ["other", 5],
    ]);
  });

  it("keep at most 32 values that left", () => {
    let now = 0;
    const verifier = createVerifier({ name: "KEY", source: () => ({ primary: `value ${now}` }) });
    for (now = 1; now <= 40; now += 1) verifier.verify("x");
    expect(verifier.usage().gone).toHaveLength(32);
  });
});
