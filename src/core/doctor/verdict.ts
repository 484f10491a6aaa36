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
  "store-set-back": "this store was set back, and only looks",
  "hand-edit": "was changed by hand",
  "stale-copy": "holds an older copy",
  missing: "was deleted",
  foreign: "holds a value that was never ours",
  "not-adopted": "has no value in Lockstep, and its places hold values",
  "no-value": "has no value yet",
  "too-old": "is older than it may be",
  "token-expired": "has expired",
  "token-not-renewed": "is not renewed",
  "token-without-end": "has a token that is never renewed, because nobody says when it ends",
  "push-gave-up": "never got its value: the push was given up",
  "push-retrying": "has not got its value yet: the push fails",
  "not-pushed": "never got its value: no worker takes it up",
  "step-open": "waits for a person to bring it there",
  "on-its-way": "is on its way",
  "unit-blocked": "is stored, but its unit did not restart",
  "unit-restarting": "is stored, and its unit is restarting",
  leftover: "is still to be deleted",
  shadowed: "is overruled by another copy",
  "process-behind": "is stored, and its process runs with another value",
  "staged-change": "has another value staged at its place",
  "other-copies": "stands elsewhere on its host too",
  exposed: "can be read by every user of its host",
  "exposed-to-group": "has a file that a group can read",
  "exposed-to-builds": "is given to builds",
  "exposed-to-pull-requests": "is copied for pull requests",
  "copies-unread": "has a file that could not be searched for copies",
  "copy-kept": "has a copy for restoring that should be gone",
  unreadable: "cannot be read",
  unreachable: "cannot be looked at",
  "credential-refused": "refuses Lockstep's credential",
  "host-key": "shows another host key than the pinned one",
  "target-test": "would not take a change",
  "agent-away": "has not been heard lately",
  "agent-refused": "refuses what its agent is asked to do",
  "agent-release": "has an agent of another release",
  "queue-away": "the queue does not answer, or takes no work",
  "queue-may-lose-jobs": "the queue may lose jobs",
  "alerts-not-delivered": "alerts do not arrive",
  clock: "the clocks of server and store differ",
  "budget-low": "a quota is nearly used up",
  "own-token-ends": "an API token of Lockstep's own ends soon",
  "value-changed": "has a value that somebody changed or removed where it is kept",
  "value-store-away": "the value store cannot be asked",
  "value-store-unknown": "values are kept in a store that this server was not told of",
  "value-removal-owed": "values that should be gone are still in the value store",
  "value-strangers": "the value store holds values that this store never put there",
  "vault-log-in-refused": "Vault refuses Lockstep's log-in",
  "vault-token-not-renewed": "Lockstep's token for Vault is not renewed",
  "vault-token-ends": "Lockstep's token for Vault ends soon, and cannot be renewed",
  "vault-token-uses-end": "Lockstep's token for Vault ends by being used",
  "checks-late": "nobody looks at the places any more",
  "no-recovery-copy": "no copy of the root key is known",
  "root-key-changed": "a server was left behind with another root key",
  "sealed-unopened": "sealed texts do not open under the keys that this server has",
  "rewrap-unfinished": "the change of the root key has not ended",
  "key-ring-away": "the key ring is away, and nothing sealed can be opened",
  "key-version-hidden": "the key ring hides a version that is still needed",
  "key-ring-exposed": "the key of the key ring can be lost or taken out",
  "old-value-used": "is called with the value before, by somebody who is not known",
  "rollout-stalled": "stands still on its way to the next version",
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
      if (facts.secrets.length === 0)
        return "There is nothing to keep the same yet: no secret is configured.";
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
      ? `from what is recorded of ${countText(targets.length, "place")}; none was asked now`
      : `${looked.length === asked.length ? "each" : looked.length} of ${countText(asked.length, "place")} was looked at just now`;
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
  return blind.length === 0 ? "" : ` Besides, ${listText(blind)}.`;
}

function isBlind(severity: Severity): boolean {
  return severity === "cannot-tell";
}

function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
