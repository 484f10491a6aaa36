/**
 * What every kind of target must do, whatever it talks to. One call per implementation; each part lies in a file of
 * its own.
 */
import { describe } from "vitest";
import { activationConformance } from "./activation.ts";
import { configurationConformance } from "./configuration.ts";
import { contentConformance } from "./content.ts";
import { faultConformance } from "./faults.ts";
import { flagConformance } from "./flags.ts";
import { orderConformance } from "./order.ts";
import type { TargetConformance } from "./place.ts";
import { runningConformance } from "./running.ts";

export function targetConformance(conformance: TargetConformance): void {
  describe.skipIf(conformance.lacking === true)(`${conformance.name} as a target`, () => {
    configurationConformance(conformance);
    contentConformance(conformance);
    orderConformance(conformance);
    faultConformance(conformance);
    flagConformance(conformance);
    activationConformance(conformance);
    runningConformance(conformance);
  });
}
