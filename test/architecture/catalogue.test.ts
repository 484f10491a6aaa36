/** Every error code is documented as it is, and used: a code that nobody throws is a promise that nobody keeps. */
import { expect, test } from "vitest";
import { CATALOGUE } from "../../src/core/error-catalogue.ts";
import { FAMILIES } from "../../src/core/error-families.ts";
import { type ErrorCode, LockstepError } from "../../src/core/errors.ts";
import { toProblem } from "../../src/edges/http/problem.ts";
import { filesBelow, sourceOf } from "./imports.ts";
import { tableRows } from "./pages.ts";

const codes = Object.keys(CATALOGUE) as ErrorCode[];
const rows = tableRows("src/edges/http/errors.md");
const sources = filesBelow("src")
  .filter((file) => file !== "src/core/errors.ts")
  .map(sourceOf);

/** Contracts that a later release fulfils: its code is taken already, so that it never gets another meaning. */
const RESERVED: readonly ErrorCode[] = [];

test.each(codes)("%s is documented with its status, exit code and verdict", (code) => {
  const { verdict, exitCode } = FAMILIES[CATALOGUE[code].family];
  const { status } = toProblem(new LockstepError(code, "Cannot."));
  expect(rows).toContainEqual([
    `\`${code}\``,
    `${status}`,
    `${exitCode}`,
    verdict,
    expect.stringMatching(/\.$/),
  ]);
});

test("the page documents no code that does not exist", () => {
  expect(rows.map(([code]) => code)).toEqual(codes.map((code) => `\`${code}\``));
});

test("every code is used", () => {
  const unused = codes.filter((code) => !sources.some((source) => source.includes(`"${code}"`)));
  expect(unused).toEqual(RESERVED);
});

test.each<ErrorCode>([
  "KEY_RING_UNAVAILABLE",
  "KEY_RING_REFUSED",
  "VALUE_STORE_UNAVAILABLE",
  "VALUE_STORE_REFUSED",
])("%s promises only its own work: a command that it refused was not done", (code) => {
  expect(new LockstepError(code, "Cannot.").hint).toMatch(/by itself.*[Rr]epeat a command/);
});
