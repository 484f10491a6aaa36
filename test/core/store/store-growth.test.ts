/** What a store grows by, and when that ends. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DAY_MS } from "../../../src/core/retention.ts";
import { daysLeft, growthOf } from "../../../src/core/store-growth.ts";
import { byteText } from "../../../src/lib/byte-text.ts";

const day = (index: number, bytes: number) => ({ atMs: index * DAY_MS, bytes });

describe("growth of a store", () => {
  it("is not known before three days", () => {
    for (const samples of [[], [day(0, 1)], [day(0, 1), day(2, 9)]]) expect(growthOf(samples)).toBeNull();
    expect(growthOf([day(0, 0), day(3, 300)])).toEqual({ bytesPerDay: 100, overDays: 3 });
  });

  it("is that of the whole time, whatever happened between", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1e12 }), { minLength: 4, maxLength: 40 }), (sizes) => {
        const growth = growthOf(sizes.map((bytes, index) => day(index, bytes)));
        const [first = 0] = sizes;
        const whole = (growth?.bytesPerDay ?? 0) * (growth?.overDays ?? 0);
        expect(Math.abs((sizes.at(-1) ?? 0) - first - whole)).toBeLessThanOrEqual(sizes.length);
      }),
    );
  });

  it("says when the disk is full only where that can be said", () => {
    expect(daysLeft(1_000, { bytesPerDay: 300, overDays: 9 })).toBe(3);
    for (const bytesPerDay of [0, -5]) expect(daysLeft(1_000, { bytesPerDay, overDays: 9 })).toBeNull();
    expect(daysLeft(null, { bytesPerDay: 1, overDays: 9 })).toBeNull();
    expect(daysLeft(1_000, null)).toBeNull();
  });

  it.each([
    [0, "0 B"],
    [1_023, "1023 B"],
    [1_024, "1.0 KiB"],
    [1_048_570, "1.0 MiB"],
    [10_737_418_240, "10.0 GiB"],
    [214_748_364_800, "200 GiB"],
    [-2_048, "-2.0 KiB"],
    [1e21, "888178 PiB"],
  ])("%d bytes read %j", (bytes, text) => {
    expect(byteText(bytes)).toBe(text);
  });
});
