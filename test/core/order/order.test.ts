/** Law 3 and ruling 29: order is (store id, epoch, generation), and an equal one passes with the digest written under it alone. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareOrder, formatOrder, mayWrite, type Order, parseOrder } from "../../../src/core/order.ts";

const digest = fc.integer({ min: 0, max: 3 }).map((number) => String(number).repeat(64));
const orders = fc.record<Order>({
  storeId: fc.constantFrom("0b9f1a52-6c1d-4a7e-9d57-4a1c2e3f5a6b", "5d3c8e10-2f4b-4c6d-8e9f-a0b1c2d3e4f5"),
  epoch: fc.integer({ min: 1, max: 3 }),
  generation: fc.integer({ min: 0, max: 5 }),
  digest: fc.option(digest, { nil: null }),
});
const given = orders.filter((order) => order.digest !== null);

describe("the order of writes", () => {
  it("of two writes that both bear a digest lets one over the other at most, unless they are the same", () => {
    fc.assert(
      fc.property(given, given, (left, right) => {
        const both = mayWrite(left, right) && mayWrite(right, left);
        expect(both).toBe(formatOrder(left) === formatOrder(right));
      }),
    );
  });

  it("lets nothing older, nothing of another store and nothing else of the same number over what stands", () => {
    fc.assert(
      fc.property(given, orders, (ours, theirs) => {
        if (!mayWrite(ours, theirs)) return;
        expect(ours.storeId).toBe(theirs.storeId);
        expect(ours.epoch).toBeGreaterThanOrEqual(theirs.epoch);
        if (ours.epoch !== theirs.epoch) return;
        expect(ours.generation).toBeGreaterThanOrEqual(theirs.generation);
        if (ours.generation === theirs.generation && theirs.digest !== null)
          expect(ours.digest).toBe(theirs.digest);
      }),
    );
  });

  it("does not change with the way that writes take: what may follow a follower may follow the first", () => {
    fc.assert(
      fc.property(given, given, given, (first, second, third) => {
        if (mayWrite(second, first) && mayWrite(third, second)) expect(mayWrite(third, first)).toBe(true);
      }),
    );
  });

  it("names what is disputed, and passes a mark without a digest at its own number", () => {
    const order = { storeId: "0b9f1a52-6c1d-4a7e-9d57-4a1c2e3f5a6b", epoch: 1, generation: 4 };
    const [ours, other] = ["a", "b"].map((letter) => ({ ...order, digest: letter.repeat(64) }));
    if (ours === undefined || other === undefined) throw new Error("two were made");
    expect(compareOrder(ours, other)).toBe("disputed");
    expect(compareOrder(ours, { ...order, digest: null })).toBe("same");
    expect(compareOrder(ours, { ...order, generation: 5, digest: null })).toBe("older");
  });

  it("comes back from its text, and from no other text", () => {
    fc.assert(
      fc.property(orders, (order) => {
        expect(parseOrder(formatOrder(order))).toEqual(order);
      }),
    );
    const text = formatOrder({
      storeId: "0b9f1a52-6c1d-4a7e-9d57-4a1c2e3f5a6b",
      epoch: 1,
      generation: 4,
      digest: "a".repeat(64),
    });
    for (const wrong of [text.slice(0, -1), `${text}a`, `${text}.`, text.toUpperCase(), ` ${text}`, ""])
      expect(parseOrder(wrong)).toBeNull();
  });
});
