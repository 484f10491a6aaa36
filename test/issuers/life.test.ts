/** How long a token lives, in all the ways in which issuers say it. */
import * as fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { lifeFor, lifeIn, lifeUntil } from "../../src/adapters/issuers/life.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

describe("a life in seconds", () => {
  it.each([
    [3_600, HOUR_MS],
    ["3600", HOUR_MS],
    [" 3600 ", HOUR_MS],
    [0.5, 500],
    ["3599.7", 3_599_700],
    // Days that people choose.
    [5_184_000, 60 * DAY_MS],
    [8_640_000, 100 * DAY_MS],
    [31_536_000, 365 * DAY_MS],
    // Milliseconds.
    [600_000, 10 * 60_000],
    [900_000, 15 * 60_000],
    [3_600_000, HOUR_MS],
    ["3600000", HOUR_MS],
    [43_200_000, 12 * HOUR_MS],
    [86_400_000, DAY_MS],
    [604_800_000, 7 * DAY_MS],
    [2_592_000_000, 30 * DAY_MS],
  ])("%s is %i ms", (said, ms) => {
    expect(lifeIn(said)).toEqual({ kind: "for", ms });
  });

  it("of whole days, up to a year, is never taken for milliseconds", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), (days) => {
        expect(lifeIn(days * 86_400)).toEqual({ kind: "for", ms: days * DAY_MS });
      }),
    );
  });

  it.each([
    0,
    -1,
    "0",
    "-3600",
    "1h",
    "soon",
    true,
    [],
    {},
    Number.NaN,
    Number.POSITIVE_INFINITY,
    "0x10",
    "1e3",
  ])("%s is none", (said) => {
    expect(lifeIn(said)).toMatchObject({ kind: "unreadable", why: expect.stringMatching(/lives/) });
  });

  it("is the configuration's where nobody says another", () => {
    expect([lifeFor("2h"), lifeFor(undefined)]).toEqual([{ kind: "for", ms: 2 * HOUR_MS }, null]);
  });
});

describe("an end", () => {
  const zone = process.env["TZ"];
  afterEach(() => {
    if (zone === undefined) delete process.env["TZ"];
    else process.env["TZ"] = zone;
  });
  const ms = Date.UTC(2027, 0, 2, 3, 4, 5);

  it.each([
    ms / 1_000,
    String(ms / 1_000),
    ms,
    String(ms),
    "2027-01-02T03:04:05Z",
    "2027-01-02 03:04:05 UTC",
    "2027-01-02T03:04:05",
    "2027-01-02 03:04:05",
    "2027-01-02T03:04:05.000000",
    "2027-01-02T05:04:05+02:00",
    "2027-01-01T21:34:05-0530",
    "Sat, 02 Jan 2027 03:04:05 GMT",
  ])("%s is one instant, whatever the zone of this machine", (said) => {
    for (const here of ["UTC", "Asia/Tokyo", "America/New_York"]) {
      process.env["TZ"] = here;
      expect(lifeUntil(said)).toEqual({ kind: "until", ms });
    }
  });

  it("of a day is its begin in UTC", () => {
    process.env["TZ"] = "Asia/Tokyo";
    expect(lifeUntil("2027-01-02")).toEqual({ kind: "until", ms: Date.UTC(2027, 0, 2) });
  });

  it.each([
    "01/02/2027",
    "Jan 2 2027",
    "2027-02-31T00:00:00Z",
    "2027-13-01",
    "2027-01-02T25:00:00Z",
    "2027-01-02T03:04:05 CET",
    "2027-01-02T03:04:05+99:00",
    "tomorrow",
    "",
    null,
    undefined,
    {},
    true,
  ])("%s is none", (said) => {
    expect(lifeUntil(said)).toMatchObject({ kind: "unreadable" });
  });
});
