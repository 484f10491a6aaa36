/** A cursor comes back from outside: what no list gave out is no cursor. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cursorOf, isInstantCursor, pageOf, readCursor } from "../../src/lib/cursor.ts";

const text = fc.string({ maxLength: 60, unit: "grapheme" }).filter((one) => !one.includes("\0"));

describe("a cursor", () => {
  it("holds two keys, whatever is in them, and only what a URL takes", () => {
    fc.assert(
      fc.property(text, text, (first, second) => {
        const cursor = cursorOf([first, second]);
        expect(readCursor(cursor)).toEqual([first, second]);
        expect(encodeURIComponent(cursor)).toBe(cursor);
      }),
    );
  });

  it.each([
    "",
    "x",
    "e30",
    cursorOf(["a", "b"]).slice(2),
    `${cursorOf(["a", "b"])}=`,
    "a".repeat(2_000),
    cursorOf(["a\0", "b"]),
  ])("is none: %j", (given) => expect(readCursor(given)).toBeNull());

  it("of instants has one to the microsecond, and an id", () => {
    const id = "00000000-0000-4000-8000-000000000000";
    expect(isInstantCursor(cursorOf(["2026-01-31T12:00:00.000001Z", id]))).toBe(true);
    for (const at of ["2026-01-31T12:00:00Z", "2026-99-31T12:00:00.000001Z", "now()", ""])
      expect(isInstantCursor(cursorOf([at, id]))).toBe(false);
    expect(isInstantCursor(cursorOf(["2026-01-31T12:00:00.000001Z", "1; drop"]))).toBe(false);
  });

  it("is given where something follows, and nowhere else", () => {
    const keys = (row: number) => [String(row), "id"] as const;
    expect(pageOf([1, 2, 3], 2, keys)).toEqual({ rows: [1, 2], next: cursorOf(["2", "id"]) });
    expect(pageOf([1, 2], 2, keys)).toEqual({ rows: [1, 2], next: null });
    expect(pageOf([], 2, keys)).toEqual({ rows: [], next: null });
  });
});
