/** A path is what the server decodes it to: it names what its segments say, or nothing. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { VaultFailure } from "../../src/adapters/vault/failure.ts";
import { encodePath, segmentsOf } from "../../src/adapters/vault/paths.ts";

it.each([
  ["a b", "a%20b"],
  ["a=b", "a%3Db"],
  ["a'b", "a'b"],
  ["a?b#c", "a%3Fb%23c"],
  ["a%2Fb", "a%252Fb"],
  ["a+*&<>", "a%2B*%26%3C%3E"],
  ["ü𝄞", "%C3%BC%F0%9D%84%9E"],
  ["%2e%2e", "%252e%252e"],
  ["a\\b", "a%5Cb"],
  ["...", "..."],
])("%s is sent as %s", (segment, encoded) => {
  expect(encodePath(["secret", "data", segment])).toBe(`secret/data/${encoded}`);
  expect(new URL(`http://x/v1/${encodePath(["secret", segment])}`).pathname).toBe(`/v1/secret/${encoded}`);
});

it.each([
  "",
  "/a",
  "a/",
  "a//b",
  ".",
  "..",
  "a/../b",
  "a/./b",
  "a\nb",
  "a\u0000",
  "a\u007f",
  "a\u2028b",
  "a\ud800b",
])("%j is refused", (written) => {
  expect(() => encodePath(["secret", ...segmentsOf(written)])).toThrow(VaultFailure);
});

it("a slash within a segment is refused", () => {
  expect(() => encodePath(["secret", "a/b"])).toThrow(/slash/);
});

it("what is not refused is decoded to the very segments, by a parser that cleans", () => {
  const codePoint = fc.oneof(fc.nat(0x7f), fc.nat(0x10_ffff));
  const segment = fc.array(codePoint, { maxLength: 8 }).map((points) => String.fromCodePoint(...points));
  fc.assert(
    fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), (segments) => {
      const encoded = (() => {
        try {
          return encodePath(segments);
        } catch (error) {
          return error instanceof VaultFailure ? null : "another error";
        }
      })();
      if (encoded === null) return;
      const { pathname, search, hash } = new URL(`http://x/v1/${encoded}`);
      expect([search, hash, ...pathname.slice("/v1/".length).split("/").map(decodeURIComponent)]).toEqual([
        "",
        "",
        ...segments,
      ]);
    }),
  );
});
