import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  hasReference,
  sharedNameOf,
  sharedNamesIn,
  withSharedValues,
} from "../../../src/adapters/targets/railway/references.ts";
import { whyOutdated } from "../../../src/adapters/targets/railway/snapshot.ts";
import { CANARY, set } from "./kit.ts";

const name = fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,8}$/);
const plain = fc.string({ maxLength: 40 }).filter((text) => !text.includes("${{"));

describe("references to shared variables", () => {
  it("are found with or without blanks, alone or inside a text, and nothing else is", () => {
    expect(sharedNamesIn("${{shared.A}}")).toEqual(["A"]);
    expect(sharedNamesIn("x-${{ shared.A }}-${{shared.B_2}}")).toEqual(["A", "B_2"]);
    for (const other of [
      "${{A}}",
      "${{api.A}}",
      "${shared.A}",
      "shared.A",
      "${{shared.}}",
      "${{ shared . A }}",
    ])
      expect(sharedNamesIn(other)).toEqual([]);
  });

  it("are named by Railway's metadata in one of two forms", () => {
    expect(["shared.A", "${{shared.A}}", "${{ shared.A }}", "api.A", "A"].map(sharedNameOf)).toEqual([
      "A",
      "A",
      "A",
      null,
      null,
    ]);
  });

  it("resolve to what stands around them and the value, whatever the value looks like", () => {
    fc.assert(
      fc.property(plain, name, plain, plain, (before, key, value, after) => {
        const text = `${before}\${{shared.${key}}}${after}`;
        fc.pre(sharedNamesIn(text).length === 1);
        expect(withSharedValues(text, new Map([[key, value]]))).toBe(`${before}${value}${after}`);
      }),
    );
  });

  it("make a deployment outdated exactly when it was started with another value", () => {
    fc.assert(
      fc.property(plain, plain, plain, (before, value, other) => {
        const stored = { MINE: `${before}\${{shared.KEY}}` };
        fc.pre(sharedNamesIn(stored.MINE).length === 1);
        const { set: expected } = set({ KEY: value }, "shared");
        const started = (text: string) =>
          whyOutdated({ snapshot: { MINE: `${before}${text}` }, stored }, expected);
        expect(started(value)).toBeNull();
        const why = started(other);
        // A text that still holds a reference is a snapshot as written: only the name can be judged.
        if (other !== value && !hasReference(before)) expect(why).toContain("KEY");
      }),
    );
  });

  it("are told without a value", () => {
    const { set: expected } = set({ KEY: CANARY }, "shared");
    const stored = { MINE: "${{shared.KEY}}", SEALED: null };
    expect(whyOutdated({ snapshot: {}, stored }, expected)).toBe("the deployment was started without MINE");
    expect(whyOutdated({ snapshot: { MINE: `${CANARY}-old` }, stored }, expected)).not.toContain(CANARY);
    expect(whyOutdated({ snapshot: { MINE: "${{shared.KEY}}" }, stored }, expected)).toBeNull();
    expect(whyOutdated({ snapshot: { MINE: null }, stored }, expected)).toBeNull();
  });
});
