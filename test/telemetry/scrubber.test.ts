import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createScrubber } from "../../src/adapters/telemetry/scrubber.ts";
import { shellQuote } from "../../src/lib/shell-quote.ts";

const REPLACED = "[scrubbed]";
/** Values whose pieces cannot occur in the text around them. */
const value = fc
  .string({ minLength: 6, maxLength: 60, unit: "grapheme" })
  .filter((text) => !`before ${REPLACED} after {"deep":""}`.includes(text.trim().slice(0, 3)));

const ENCODINGS: Readonly<Record<string, (text: string) => string>> = {
  raw: (text) => text,
  JSON: (text) => JSON.stringify(text),
  "JSON in JSON": (text) => JSON.stringify({ deep: JSON.stringify(text) }),
  URL: encodeURIComponent,
  "URL form": (text) => new URLSearchParams([["", text]]).toString().slice(1),
  "URL in small letters": (text) =>
    encodeURIComponent(text).replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
  shell: shellQuote,
  "shell in JSON": (text) => JSON.stringify(shellQuote(text)),
  inspected: (text) => inspect(text),
  base64: (text) => Buffer.from(text).toString("base64"),
  base64url: (text) => Buffer.from(text).toString("base64url"),
};

describe("the scrubber", () => {
  it.each(Object.entries(ENCODINGS))("removes a value that stands there as %s", (_name, encode) => {
    fc.assert(
      fc.property(value, (secret) => {
        const scrubber = createScrubber();
        scrubber.know(secret);
        const clean = scrubber.scrub(`before ${encode(secret)} after`);
        expect(clean).toMatch(/^before .{0,12}\[scrubbed\].{0,6} after$/s);
        expect(clean).not.toContain(secret);
      }),
      { numRuns: 60 },
    );
  });

  it.each(["u", "us", "use"])(
    "removes a value from the base64 of something longer that begins with %s",
    (user) => {
      const scrubber = createScrubber();
      scrubber.know("s3cret-canary");
      const header = Buffer.from(`${user}:s3cret-canary and more`).toString("base64");
      const clean = scrubber.scrub(`Basic ${header}`);
      expect(clean).toContain(REPLACED);
      const left = clean.replace("Basic ", "").split(REPLACED);
      for (const piece of left) expect(Buffer.from(piece, "base64").toString()).not.toMatch(/s3c|cre|nary/);
    },
  );

  it("removes single lines of a longer value, but not its armour", () => {
    const scrubber = createScrubber();
    const line = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU";
    scrubber.know(`-----BEGIN OPENSSH PRIVATE KEY-----\n${line}\n-----END OPENSSH PRIVATE KEY-----\n`);
    expect(scrubber.scrub(`bad line: ${line}`)).toBe(`bad line: ${REPLACED}`);
    expect(scrubber.scrub("-----BEGIN OPENSSH PRIVATE KEY-----")).toContain("BEGIN");
  });

  it("values that overlap or touch leave nothing of each other", () => {
    const scrubber = createScrubber();
    for (const secret of ["abcdefghij", "ghijklmnop", "abcdef", "qrstuvwx"]) scrubber.know(secret);
    expect(scrubber.scrub("<abcdefghijklmnopqrstuvwx>")).toBe(`<${REPLACED}>`);
    expect(scrubber.scrub("<abcdefghij> <ghijklmnop>")).toBe(`<${REPLACED}> <${REPLACED}>`);
  });

  it("leaves other text alone, and does not turn short words into holes", () => {
    const scrubber = createScrubber();
    scrubber.know("abc");
    scrubber.know("a-long-secret");
    expect(scrubber.scrub("abc and nothing else")).toBe("abc and nothing else");
    fc.assert(
      fc.property(fc.string(), (text) => {
        fc.pre(!text.includes("a-long"));
        expect(scrubber.scrub(text)).toBe(text);
      }),
    );
  });

  it("forgets the value that was not opened for longest, and only that", () => {
    const scrubber = createScrubber({ maxValues: 2, maxCharacters: 1_000_000 });
    for (const secret of ["first-value", "second-value", "first-value", "third-value"]) scrubber.know(secret);
    expect(scrubber.scrub("first-value")).toBe(REPLACED);
    expect(scrubber.scrub("second-value")).toBe("second-value");
    expect(scrubber.scrub("third-value")).toBe(REPLACED);
  });

  it("a form that two values share stays known while one of them is", () => {
    const scrubber = createScrubber({ maxValues: 1, maxCharacters: 1_000_000 });
    scrubber.know("it's a value");
    scrubber.know("it'\\''s a value");
    expect(scrubber.scrub("it'\\''s a value")).toBe(REPLACED);
  });

  it("keeps its memory bounded by characters, and still knows the newest however long it is", () => {
    const scrubber = createScrubber({ maxValues: 100, maxCharacters: 5_000 });
    scrubber.know("x".repeat(600));
    scrubber.know("y".repeat(60_000));
    expect(scrubber.scrub("x".repeat(600))).not.toBe(REPLACED);
    expect(scrubber.scrub("y".repeat(60_000))).toBe(REPLACED);
  });

  it("its cost does not grow with the number of values", () => {
    const text = `{"event":"push finished","target":"api","id":"${"0123456789abcdef".repeat(12)}"}`;
    const timeOf = (values: number): number => {
      const scrubber = createScrubber();
      for (let index = 0; index < values; index += 1) scrubber.know(`value-number-${index}-${index * 7919}`);
      for (let warm = 0; warm < 200; warm += 1) scrubber.scrub(text);
      const runs = Array.from({ length: 15 }, () => {
        const start = performance.now();
        for (let index = 0; index < 200; index += 1) scrubber.scrub(text);
        return performance.now() - start;
      });
      return Math.min(...runs);
    };
    expect(timeOf(4_000)).toBeLessThan(timeOf(10) * 8);
  });
});
