/** By what a value in some file is known to be ours. */
import { expect, it } from "vitest";
import { copyInterest } from "../../../src/core/copies/recognise.ts";
import type { DesiredSlot } from "../../../src/core/reconcile/plan-change.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";

const slot = (
  bindingId: string,
  current: readonly [number, string],
  older: readonly (readonly [number, string])[] = [],
): DesiredSlot => {
  const [version, value] = current;
  return {
    bindingId,
    secretId: bindingId,
    slot: "primary",
    placement: "/app/.env",
    key: bindingId,
    version,
    value: SecretValue.of(value),
    owned: true,
    takeOver: false,
    settledVersion: null,
    others: new Map(older.map(([number, text]) => [number, SecretValue.of(text)])),
  };
};
const { recognise, places } = copyInterest(
  [slot("A", [2, "the-second-value"], [[1, "the-first-value"]]), slot("B", [7, "short"])],
  (known, value) => known.reveal() === value.reveal(),
);

it.each([
  ["the value in force", "the-second-value", { version: 2, place: { bindingId: "A" } }],
  ["an older one", "the-first-value", { version: 1, place: { bindingId: "A" } }],
])("%s is known, with its version", (_which, text, known) => {
  expect(recognise(SecretValue.of(text))).toMatchObject(known);
});

it("what is not ours is not known, nor what stands in many files by chance", () => {
  expect(recognise(SecretValue.of("somebody-else's"))).toBeNull();
  expect(recognise(SecretValue.of("short"))).toBeNull();
  expect(places.map(({ key }) => key)).toEqual(["A", "B"]);
});
