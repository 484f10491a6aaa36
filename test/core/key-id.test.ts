import fc from "fast-check";
import { expect, it } from "vitest";
import { formatKeyId, isAtLeast, parseKeyId } from "../../src/core/key-id.ts";

const base = fc.stringMatching(/^[A-Za-z0-9_-]{16}$/);
const keyId = fc.record({ base, version: fc.integer({ min: 0, max: 999_999_999 }) });

it("what is formatted is parsed to the same", () => {
  fc.assert(fc.property(keyId, (id) => void expect(parseKeyId(formatKeyId(id))).toEqual(id)));
});

it("what is parsed is formatted to the same, whatever it is", () => {
  const text = fc.oneof(fc.string(), base, fc.stringMatching(/^[a-z_-]{14,18}-v[0-9]{1,11}$/));
  fc.assert(fc.property(text, (any) => void expect(formatKeyId(parseKeyId(any))).toBe(any)));
});

it("a newer version of the same key is well, another key never", () => {
  fc.assert(
    fc.property(keyId, keyId, (left, right) => {
      expect(isAtLeast(formatKeyId(left), formatKeyId(right))).toBe(
        left.base === right.base && left.version >= right.version,
      );
      const other = { base: left.base, version: right.version };
      expect(isAtLeast(formatKeyId(left), formatKeyId(other))).toBe(left.version >= right.version);
    }),
  );
});
