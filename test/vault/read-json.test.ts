/** Answers as JSON: what no server of this kind sends is no JSON, before it costs anything. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_DEPTH, readJson } from "../../src/adapters/vault/read-json.ts";

const nested = (depth: number, [open, close]: readonly [string, string]): string =>
  `${open.repeat(depth)}1${close.repeat(depth)}`;

describe("an answer's text", () => {
  it("is what JSON says it is, whatever stands in its texts", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8 }), (text) => {
        expect(readJson(text)).toEqual(JSON.parse(text));
      }),
    );
    const texts = JSON.stringify({ "[[{": "[".repeat(5_000), 'q"\\': '\\"{'.repeat(5_000) });
    expect(readJson(texts)).toEqual(JSON.parse(texts));
  });

  it.each(["", "<html>", '{"a":', "nul"])("that is no JSON is undefined: %s", (text) => {
    expect(readJson(text)).toBeUndefined();
  });

  it("is none where it is nested deeper than a server takes itself", () => {
    for (const form of [
      ["[", "]"],
      ['{"a":', "}"],
    ] as const) {
      expect(readJson(nested(MAX_DEPTH, form))).toBeDefined();
      expect(readJson(nested(MAX_DEPTH + 1, form))).toBeUndefined();
    }
    // Side by side is not within each other.
    expect(readJson(`[${Array(5_000).fill("[]").join()}]`)).toHaveLength(5_000);
  });
});
