/** The one line that doctor begins with. Pure. */
import { listText } from "./consequences.ts";
import type { DoctorFacts } from "./facts.ts";
import type { Finding, FindingId, Severity } from "./finding.ts";

/** 0 nothing wrong, 3 something wrong, 4 cannot tell: what surely is wrong weighs more than what could not be seen. */
export type Health = "well" | "wrong" | "cannot-tell";

export function healthOf(findings: readonly Finding[]): Health {
  if (findings.some(({ severity }) => severity === "wrong")) return "wrong";
  return findings.some(({ severity }) => severity === "cannot-tell") ? "cannot-tell" : "well";
}

const SHORT: Readonly<Record<FindingId, string>> = {
  "store-set-back": "this store was set back, and only reads",
  "hand-edit": "was changed by hand",
  "stale-copy": "holds an older copy",
  missing: "was deleted",
  foreign: "holds a value that Lockstep does not know",
  "not-adopted": "has no value in Lockstep, and its places hold values",
  "no-value": "has no value yet",
  "too-old": "is older than it may be",
  "token-expired": "has expired",
  "token-not-renewed": "is not renewed",
  "token-without-end": "has a token that is never renewed, because its end is not known",
  "push-gave-up": "never got its value: Lockstep gave up the push",
  "push-retrying": "has not got its value yet: the push fails",
  "not-pushed": "never got its value: no worker has started on it",
  "step-open": "waits for a person to put the value there",
  "on-its-way": "is on its way",
  "unit-blocked": "is stored, but its unit did not restart",
  "unit-restarting": "is stored, and its unit is restarting",
  leftover: "must still be deleted",
  shadowed: "is overridden by another copy",
  "process-behind": "is stored, but its process uses another value",
  "staged-change": "has another value staged at its place",
  "other-copies": "is stored elsewhere on its host too",
  exposed: "can be read by every user of its host",
  "exposed-to-group": "has a file that a group can read",
  "exposed-to-builds": "is given to builds",
  "exposed-to-pull-requests": "is copied for pull requests",
  "copies-unread": "has a file that could not be searched for copies",
  "copy-kept": "has an old copy on its host that should have been removed",
  unreadable: "cannot be read",
  unreachable: "cannot be checked",
  "credential-refused": "refuses Lockstep's credential",
  "host-key": "shows another host key than the pinned one",
  "target-test": "would not accept a change",
  "agent-away": "has an agent that has not connected lately",
  "agent-refused": "has a policy that does not allow a part of the work",
  "agent-release": "has an agent of another release",
  "queue-away": "the queue does not answer, or accepts no work",
  "queue-may-lose-jobs": "the queue may lose jobs",
  "alerts-not-delivered": "alerts do not arrive",
  clock: "the clocks of server and store differ",
  "budget-low": "a request quota is nearly used up",
  "own-token-ends": "an API token of Lockstep's own ends soon",
  "value-changed": "has a value that somebody changed or removed in the value store",
  "value-store-away": "the value store is not available",
  "value-store-unknown": "values are kept in a store that this server has no settings for",
  "value-removal-owed": "values that should have been removed are still in the value store",
  "value-strangers": "the value store holds values that this store never wrote",
  "vault-log-in-refused": "Vault refuses Lockstep's log-in",
  "vault-token-not-renewed": "Lockstep's token for Vault could not be renewed",
  "vault-token-ends": "Lockstep's token for Vault ends soon, and cannot be renewed",
  "vault-token-uses-end": "Lockstep's token for Vault has few uses left",
  "checks-late": "the places are no longer checked",
  "disk-full-soon": "the disk of the store is nearly full",
  "no-recovery-copy": "no copy of the root key is known",
  "root-key-changed": "this server runs with an old root key",
  "sealed-unopened": "sealed texts do not open under the keys that this server has",
  "rewrap-unfinished": "the change of the root key has not ended",
  "key-ring-away": "the key ring is not available, so nothing sealed can be opened",
  "key-version-hidden": "the key ring hides a version that is still needed",
  "key-ring-exposed": "the key of the key ring can be deleted or exported",
  "old-value-used": "is called with the previous value, by somebody who is not known",
  "rollout-stalled": "has a rollout that is stalled",
};
const MAX_NAMED = 2;

export function verdictOf(facts: DoctorFacts, findings: readonly Finding[]): string {
  const health = healthOf(findings);
  const first = findings.filter(({ severity }) => severity === (health === "well" ? "moving" : health));
  const named = first.slice(0, MAX_NAMED).map(shortText);
  const more = first.length > named.length ? ` and ${first.length - named.length} more` : "";
  const told = `${named.join("; ")}${more}`;
  switch (health) {
    case "wrong":
      return `${countText(first.length, "thing")} ${first.length === 1 ? "is" : "are"} wrong: ${told}.${blindText(findings)}`;
    case "cannot-tell":
      return `Cannot tell: ${told}. Nothing else is wrong in what was seen (${lookedText(facts)}).`;
    case "well":
      if (facts.secrets.length === 0) return "There is nothing to keep in sync yet: no secret is configured.";
      return first.length === 0
        ? `Nothing is wrong: ${lookedText(facts)}.`
        : `Nothing is wrong, but ${countText(first.length, "key")} ${first.length === 1 ? "is" : "are"} moving: ${told}.`;
  }
}

/** What was looked at, so that "nothing is wrong" says about what. */
export function lookedText({ secrets, targets }: DoctorFacts): string {
  const keys = secrets.reduce((sum, { bindings }) => sum + bindings.length, 0);
  const asked = targets.filter(({ look }) => look !== null);
  const looked = asked.filter(({ look }) => look === "looked");
  const places =
    asked.length === 0
      ? `from the records of ${countText(targets.length, "place")}; none was asked now`
      : `${looked.length === asked.length ? "each" : looked.length} of ${countText(asked.length, "place")} was checked just now`;
  return `${countText(keys, "key")} of ${countText(secrets.length, "secret")}, ${places}`;
}

function shortText({ id, secret, target }: Finding): string {
  if (secret === null && target === null) return SHORT[id];
  const subject = secret === null ? target : target === null ? secret : `${secret} at ${target}`;
  return `${subject} ${SHORT[id]}`;
}

/** Both weigh: what is not seen may be wrong as well. */
function blindText(findings: readonly Finding[]): string {
  const blind = findings.filter(({ severity }) => isBlind(severity)).map(shortText);
  return blind.length === 0 ? "" : ` Also, ${listText(blind)}.`;
}

function isBlind(severity: Severity): boolean {
  return severity === "cannot-tell";
}

function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
