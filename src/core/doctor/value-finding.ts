/** What is wrong where the values of versions are kept. Pure. */
import { ageText } from "../../lib/age.ts";
import { shellCommand } from "../../lib/shell-quote.ts";
import { valueHint, valueTroubleText } from "../stored-value.ts";
import type { Commands } from "./commands.ts";
import type { DoctorFacts } from "./facts.ts";
import { type Finding, ITSELF } from "./finding.ts";
import { refusedRemedy } from "./vault-token-finding.ts";

/** One for each value: what it is kept for cannot be pushed, and its places keep what they have. */
export function changedValues({ values }: DoctorFacts, commands: Commands): readonly Finding[] {
  return values.troubled.map(({ secret, environment, version, trouble }) => ({
    id: "value-changed",
    severity: "wrong",
    secret,
    target: null,
    // Two versions of a secret are two things.
    key: `v${version}`,
    placement: null,
    environment,
    what: `v${version} of ${secret} is not in the value store as Lockstep wrote it: ${valueTroubleText(trouble)}.`,
    cause: `Lockstep neither uses nor heals it, and places keep what they have. ${valueHint(secret, trouble)}`,
    consequence: [],
    command: commands.setValue({ name: secret, environment }),
  }));
}

export function ofValueStore(facts: DoctorFacts): readonly Finding[] {
  const { values, now } = facts;
  const remedy = refusedRemedy(facts);
  const { away, owed, strangers, unknownStore } = values;
  const findings: Finding[] = [];
  if (away !== null) {
    findings.push({
      ...ITSELF,
      id: "value-store-away",
      severity: "wrong",
      what: `The value store is not available (first noticed ${ageText(away.since.toISOString(), now)}).`,
      cause: `${away.reason}${remedy === null ? "" : ` ${remedy}`} Work that needs a value from there waits, and goes on by itself; places keep what they have.`,
      command: null,
    });
  }
  if (unknownStore > 0) {
    findings.push({
      ...ITSELF,
      id: "value-store-unknown",
      severity: "wrong",
      what: `${unknownStore} ${unknownStore === 1 ? "value is" : "values are"} kept in Vault, but this server has no settings for Vault.`,
      cause:
        "Start it with LOCKSTEP_VAULT_ADDR and the other settings for Vault. To stop using Vault, move the values out first, while these are still set.",
      command: null,
    });
  }
  if (owed.count > 0) {
    findings.push({
      ...ITSELF,
      id: "value-removal-owed",
      severity: "hint",
      what: `${owed.count} ${owed.count === 1 ? "value" : "values"} that should have been removed ${owed.count === 1 ? "is" : "are"} still in Vault${owed.errorCode === null ? "" : ` (${owed.errorCode})`}.`,
      cause:
        "Lockstep could not remove them, and tries again by itself. The token's policy needs update below destroy/ and delete below metadata/.",
      command: null,
    });
  }
  if (strangers > 0) {
    findings.push({
      ...ITSELF,
      id: "value-strangers",
      severity: "wrong",
      what: `${strangers} ${strangers === 1 ? "value is" : "values are"} in Vault below this store's path that this store never wrote.`,
      cause:
        "This store was set back to an older state, or a copy of it runs with the same Vault. Lockstep removes none of them: a newer value there may be the only copy. Make sure that no other copy of the store runs.",
      command: shellCommand(["lockstep", "epoch"]),
    });
  }
  return findings;
}
