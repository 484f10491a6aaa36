/** Random values that are replaced by age: for verifiers that Lockstep itself gives the value to. */
import type { Issuer } from "../../../core/ports/issuer.ts";
import type { RandomIssue } from "../../../protocol/issue.ts";
import { lifeFor } from "../life.ts";
import { randomValue } from "./random.ts";

export const randomIssuer: Issuer = {
  kind: "random",
  inputs: () => [],
  origin: () => null,
  singleUse: () => null,
  async issue({ config }) {
    const { bytes, encoding, life } = config as unknown as RandomIssue;
    return {
      value: randomValue({ bytes, encoding }),
      life: lifeFor(life),
    };
  },
};
