import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { visibleLine, visibleText } from "../../src/lib/visible-text.ts";

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

  it("line breaks and tabs stay where several lines are meant", () => {
    expect(visibleText("a\n\tb")).toBe("a\n\tb");
    expect(visibleLine("a\n\tb")).toBe("a\\u{a}\\u{9}b");
  });
});
