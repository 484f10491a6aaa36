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
      what: `The key ring ${name} is not available (first noticed ${ageText(away.since.toISOString(), facts.now)}): values and credentials that it encrypts cannot be read or written.`,
      cause: `${away.message} ${refusedRemedy(facts) ?? away.hint} Places keep their values. All other work waits: Lockstep pushes, checks, rotates and renews nothing until the key ring is available again.`,
      command: null,
    });
  }
  if (oldestNeeded !== null && oldestOpened !== null && oldestNeeded < oldestOpened) {
    findings.push({
      ...about,
      id: "key-version-hidden",
      severity: "wrong",
      what: `The key ring ${name} opens no version below ${oldestOpened}, and version ${oldestNeeded} is still needed.`,
      cause: `min_decryption_version of its key was raised too early. Set it back to ${oldestNeeded} or lower in Vault, run \`lockstep rewrap\`, and raise it again when rewrap says that nothing is left.`,
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
        "Everything in the store is encrypted under this key. If it is lost, no value can be read any more; if it is stolen together with the store, every value can.",
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
        what: "A key in Vault encrypts everything in the store: if Vault is lost and has no backup, every value is lost.",
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
          ? "No copy of the root key is known: if this machine's disk is lost, every value is lost."
          : "The root key was changed, and no copy of the new one is known.",
      cause:
        "Nobody has made a copy and had it checked. Copy the key on the machine where Lockstep runs, keep the file away from that machine and from backups of the store, and check it: `lockstep root-key check FILE`.",
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
        what: "The store is encrypted under a root key that this server does not have: the server writes nothing and does no work.",
        cause:
          "`lockstep rewrap` moved the store to another key while this server ran with the old one. Start the server with the key in use (LOCKSTEP_ROOT_KEY_FILE, or LOCKSTEP_KEY_RING=vault-transit).",
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
        what: `${unopened} sealed ${unopened === 1 ? "text is" : "texts are"} encrypted under root keys that this server does not have: it cannot open them.`,
        cause:
          "These rows came from another store or from an older backup. Start with the key that they were encrypted under as the previous one (LOCKSTEP_PREVIOUS_ROOT_KEY_FILE, or LOCKSTEP_PREVIOUS_KEY_RING=vault-transit) and run `lockstep rewrap`. If nobody has that key, set those values and credentials again.",
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
      what: `${underOthers} sealed ${underOthers === 1 ? "text is" : "texts are"} still encrypted under the previous root key or an older version of the key, which is therefore still needed.`,
      cause: "The change of the root key has not begun, or did not end.",
      command: shellCommand(["lockstep", "rewrap"]),
    },
  ];
}
