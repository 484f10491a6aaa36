import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { boundedJson } from "../../src/lib/bounded-json.ts";
import {
  boundedLine,
  boundedText,
  visibleJson,
  visibleLine,
  visibleText,
} from "../../src/lib/visible-text.ts";

describe("text from elsewhere", () => {
  it.each([
    ["an escape sequence", "\u001b[2J", "\\u{1b}[2J"],
    ["its one-character form", "\u009b2J", "\\u{9b}2J"],
    ["a carriage return", "ok\rfailed", "ok\\u{d}failed"],
    ["an override of direction", "a\u202eb", "a\\u{202e}b"],
    ["an isolate", "a\u2066b", "a\\u{2066}b"],
    ["a mark of direction", "a\u061cb", "a\\u{61c}b"],
    ["an invisible blank", "a\u200bb", "a\\u{200b}b"],
    ["a tag beyond the first plane", "a\u{e0041}b", "a\\u{e0041}b"],
    ["a line separator", "a\u2028b", "a\\u{2028}b"],
  ])("%s is shown instead of obeyed", (_what, text, shown) => {
    expect(visibleLine(text)).toBe(shown);
    expect(visibleText(text)).toBe(shown);
  });

  it("no control or bidirectional character is left, and letters of every script stay", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(visibleLine(text)).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
      }),
    );
    expect(visibleLine("grüße 東京 עברית عربى 👍")).toBe("grüße 東京 עברית عربى 👍");
  });

  it("as JSON keeps its meaning, and nothing in it is left to obey", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const json = visibleJson(JSON.stringify({ [text]: [text] }, null, 2));
        expect(JSON.parse(json)).toEqual({ [text]: [text] });
        expect(json.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      }),
    );
  });

  it("line breaks and tabs stay where several lines are meant", () => {
    expect(visibleText("a\n\tb")).toBe("a\n\tb");
    expect(visibleLine("a\n\tb")).toBe("a\\u{a}\\u{9}b");
  });
});

describe("bounded text", () => {
  it("ruling 30: ends where it should, visible, and says that it was cut", () => {
    expect(boundedLine("short", 10)).toBe("short");
    expect(boundedLine("exactly-10", 10)).toBe("exactly-10");
    expect(boundedLine("longer-than-10", 10)).toBe("longer-th…");
    // What is shown instead counts.
    expect(boundedLine("\u202e".repeat(5), 10)).toBe("\\u{202e}\\…");
    expect(boundedLine("ab👍👍", 4)).toBe("ab…");
    expect(boundedText("a\nb\u0007", 20)).toBe("a\nb\\u{7}");
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.integer({ min: 1, max: 50 }), (text, max) => {
        expect(boundedLine(text, max).length).toBeLessThanOrEqual(max);
      }),
    );
  });

  it("ruling 30: what hides in letters that show nothing is shown", () => {
    for (const hidden of ["\ufe0f", "\u{e0100}", "\u034f", "\u115f", "\u3164", "\uffa0", "\ud800"])
      expect(visibleLine(`a${hidden}b`)).toMatch(/^a\\u\{[0-9a-f]+\}b$/);
  });
});

describe("bounded JSON", () => {
  it("ruling 30: long texts, long lists and deep nesting end, and the rest is what it was", () => {
    const bounds = { maxText: 5, maxItems: 3 };
    expect(boundedJson({ a: "1234567", b: [1, null, true], c: { d: "x" } }, bounds)).toEqual({
      a: "1234…",
      b: [1, null, true],
      c: { d: "x" },
    });
    expect(boundedJson(["a", "b", "c", "d"], bounds)).toEqual(["a", "b", "… and 2 more"]);
    expect(boundedJson([{}, {}, {}, {}], bounds)).toEqual([{}, {}]);
    expect(Object.keys(boundedJson({ a: 1, b: 2, c: 3, d: 4 }, bounds))).toHaveLength(3);
    let deep: unknown = "end";
    for (let depth = 0; depth < 100; depth += 1) deep = { deep };
    expect(JSON.stringify(boundedJson(deep, bounds))).not.toContain("end");
  });
});
