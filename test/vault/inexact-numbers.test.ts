/** Numbers that do not come through parsing are named by the key that they stand under. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { inexactKeys } from "../../src/adapters/vault/inexact-numbers.ts";

const inside = (data: string): readonly string[] =>
  inexactKeys(`{"request_id":"1","data":{"metadata":{"version":9007199254740993},"data":${data}}}`, [
    "data",
    "data",
  ]);

it.each([
  ['{"a":1,"b":-2.5,"c":1e3,"d":0.1,"e":1.50,"f":0,"g":-0,"h":1E+2,"i":0.0}', []],
  ['{"a":9007199254740991,"b":9007199254740992,"c":9007199254740993,"d":-9007199254740993}', ["b", "c", "d"]],
  ['{"a":0.1000000000000000055511151231257827,"b":1e400,"c":123456789.123456789123}', ["a", "b", "c"]],
  ['{"a":"9007199254740993","b":"x\\"9007199254740993","c":["\\\\",9007199254740993]}', ["c"]],
  ['{"deep":{"a":[{"b":[1,9007199254740993]}],"x":1},"other":{"a":1}}', ["deep"]],
  [
    '{"\\u0061\\"b":9007199254740993,"":9007199254740993,"__proto__":9007199254740993}',
    ['a"b', "", "__proto__"],
  ],
  ['{"9007199254740993":"x","true":true,"null":null,"b":[]}', []],
  ['{"a":1e-400}', ["a"]],
  ["{}", []],
  ["null", []],
])("%s", (data, keys) => {
  expect(inside(data)).toEqual(keys);
});

it("whatever survives parsing and writing is not named", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (data) => {
      const text = JSON.stringify(data);
      const isLarge = (value: unknown): boolean =>
        typeof value === "number"
          ? Math.abs(value) >= 2 ** 53
          : typeof value === "object" && value !== null && Object.values(value).some(isLarge);
      const expected = Object.entries(JSON.parse(text) as object).flatMap(([key, value]) =>
        isLarge(value) ? [key] : [],
      );
      expect(new Set(inside(text))).toEqual(new Set(expected));
    }),
  );
});

it("an integer beyond 2^53 is named wherever it stands", () => {
  const integer = fc.bigInt({ min: 2n ** 53n, max: 2n ** 80n });
  fc.assert(
    fc.property(fc.string(), integer, fc.boolean(), (key, number, isDeep) => {
      const value = isDeep ? `[{"x":${number}}]` : `${number}`;
      expect(inside(`{"before":"x",${JSON.stringify(`k${key}`)}:${value}}`)).toEqual([`k${key}`]);
    }),
  );
});

it.each([
  "1e20",
  "-1E400",
  "1e-400",
  "123456789012345e2",
  "[5e300]",
  " 2.5e+16",
  "9007199254740993",
  "1.23456789012345678",
])("%s is found where nothing else is", (number) => {
  expect(inexactKeys(`{"a":${number}}`, [])).toEqual(["a"]);
});

it("a number that comes through is not named, alone or not", () => {
  expect(inexactKeys('{"a":123456789012345,"b":1e3,"c":-0.5,"id":"5e9-1234567890123456"}', [])).toEqual([]);
});
