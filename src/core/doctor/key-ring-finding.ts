/** What is wrong with a key ring that is kept elsewhere, and with what seals the store. Pure. */
import { ageText } from "../../lib/age.ts";
import { shellCommand } from "../../lib/shell-quote.ts";
import type { KeyRisk } from "../ports/key-ring.ts";
import type { DoctorFacts, KeyRingFacts } from "./facts.ts";
import { type Finding, ITSELF } from "./finding.ts";
import { refusedRemedy } from "./vault-token-finding.ts";

export function ofKeys(facts: DoctorFacts): readonly Finding[] {
  return [
    ...facts.keyRings.flatMap((ring) => ofRing(ring, facts)),
    ...recoveryCopy(facts),
    ...sealing(facts),
  ];
}

function ofRing(
  { name, away, oldestNeeded, oldestOpened, risks }: KeyRingFacts,
  facts: DoctorFacts,
): readonly Finding[] {
  // Two of them are two things.
  const about = { ...ITSELF, key: name };
  const findings: Finding[] = [];
  if (away !== null) {
    findings.push({
      ...about,
      id: "key-ring-away",
      severity: "wrong",
      what: `The key ring ${name} is away, since ${ageText(away.since.toISOString(), facts.now)}: values and credentials that it seals cannot be opened or written.`,
      cause: `${away.message} ${refusedRemedy(facts) ?? away.hint} Places keep their values, and what is to be done waits: nothing is pushed, looked at, rotated or renewed until it answers.`,
      command: null,
    });
  }
  if (oldestNeeded !== null && oldestOpened !== null && oldestNeeded < oldestOpened) {
    findings.push({
      ...about,
      id: "key-version-hidden",
      severity: "wrong",
      what: `The key ring ${name} opens no version below ${oldestOpened}, and version ${oldestNeeded} is still needed.`,
      cause: `min_decryption_version of its key was raised too early. Set it back to ${oldestNeeded} or lower in Vault, run \`lockstep rewrap\`, and raise it when that says that nothing is left.`,
      command: shellCommand(["lockstep", "rewrap"]),
    });
  }
  if (risks.length > 0) {
    findings.push({
      ...about,
      id: "key-ring-exposed",
      severity: "hint",
      what: `The key of the key ring ${name} ${risks.map((risk) => RISKS[risk]).join(", and ")}.`,
      cause:
        "It is the root of everything that is sealed: lost, no value opens any more; taken along with the store, every value does.",
      command: null,
    });
  }
  return findings;
}

const RISKS: Readonly<Record<KeyRisk, string>> = {
  "deletion-allowed": "may be deleted in Vault (deletion_allowed: set it to false)",
  exportable:
    "can be exported from Vault (exportable, which cannot be taken back: make another key and move to it)",
  "plaintext-backup":
    "can be taken out in plain text as a backup (allow_plaintext_backup, which cannot be taken back)",
};

/** Without the root key nobody opens the store again, so that its loss is worth a word before it happens. */
function recoveryCopy({ recoveryCopy }: DoctorFacts): readonly Finding[] {
  if (recoveryCopy === null || recoveryCopy === "checked") return [];
  const about = { ...ITSELF, id: "no-recovery-copy", severity: "hint" } as const;
  if (recoveryCopy === "kept-elsewhere") {
    return [
      {
        ...about,
        what: "The root of everything sealed is a key in Vault: without a backup of Vault, its loss loses every value.",
        cause:
          "Lockstep cannot see whether Vault is backed up. Keep Vault's own snapshots (`vault operator raft snapshot save FILE`) with its unseal keys, apart from backups of this store.",
        command: null,
      },
    ];
  }
  return [
    {
      ...about,
      what:
        recoveryCopy === "none"
          ? "No copy of the root key is known: with this machine's disk every value would be lost."
          : "The root key was changed, and of the new one no copy is known.",
      cause:
        "Nobody has made one and said so. Copy it where Lockstep runs, take the file away from that machine and from backups of the store, and check it there: `lockstep root-key check FILE`.",
      command: shellCommand(["lockstep", "root-key", "copy", "lockstep-root.key"]),
    },
  ];
}

/** By the names of keys alone: nothing is opened for it. */
function sealing({ sealing }: DoctorFacts): readonly Finding[] {
  if (sealing === null) return [];
  const { hasCurrent, unopened, underOthers } = sealing;
  if (!hasCurrent) {
    return [
      {
        ...ITSELF,
        id: "root-key-changed",
        severity: "wrong",
        what: "The store is sealed under a root key that this server does not have: it writes nothing and works on nothing.",
        cause:
          "`lockstep rewrap` moved the store while this server ran with the key before. Start it with the key in use (LOCKSTEP_ROOT_KEY_FILE, or LOCKSTEP_KEY_RING=vault-transit).",
        command: null,
      },
    ];
  }
  if (unopened > 0) {
    return [
      {
        ...ITSELF,
        id: "sealed-unopened",
        severity: "wrong",
        what: `${unopened} sealed ${unopened === 1 ? "text stands" : "texts stand"} under root keys that this server does not have: nobody here can open them.`,
        cause:
          "Rows came from another store or another time. Start with the key that they were sealed under as the previous one (LOCKSTEP_PREVIOUS_ROOT_KEY_FILE, or LOCKSTEP_PREVIOUS_KEY_RING=vault-transit) and run `lockstep rewrap`; what nobody has the key of is set or given again.",
        command: null,
      },
    ];
  }
  if (underOthers === 0) return [];
  return [
    {
      ...ITSELF,
      id: "rewrap-unfinished",
      severity: "hint",
      what: `${underOthers} sealed ${underOthers === 1 ? "text stands" : "texts stand"} under the previous root key or an older version: it is still needed.`,
      cause: "The change of the root key has not begun, or did not end.",
      command: shellCommand(["lockstep", "rewrap"]),
    },
  ];
}
