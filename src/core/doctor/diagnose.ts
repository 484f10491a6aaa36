/**
 * Doctor's reasoning: facts → findings. Pure.
 *
 * Promises: a store in which everything holds what it should has no findings; every binding that does not is named by
 * at least one finding (one of its own, one of its target, or one of its secret); what could not be looked at is
 * `cannot-tell`, never silently fine; no text holds a value, because no fact does.
 * Leaves to others: looking (`app/doctor`), and how it is shown.
 */
import { durationText } from "../../lib/age.ts";
import { boundedText } from "../../lib/visible-text.ts";
import { diagnoseBinding } from "./binding-finding.ts";
import { Commands } from "./commands.ts";
import { listText } from "./consequences.ts";
import { exposedCopies, keptCopies, otherCopies, sharedFiles, unreadCopies } from "./copies-finding.ts";
import { exposuresOf } from "./exposure-finding.ts";
import type { DoctorFacts, SecretFacts, TargetFacts } from "./facts.ts";
import { bySeverity, type Finding } from "./finding.ts";
import { ofLockstepItself, ofSetBack } from "./itself-finding.ts";
import { oldUses } from "./old-use-finding.ts";
import { diagnoseTarget, gaveUpUnseen } from "./target-finding.ts";
import { diagnoseToken } from "./token-finding.ts";
import { changedValues } from "./value-finding.ts";

/** What findings about places, and not about Lockstep itself, are made of. */
export type PlaceFacts = Pick<DoctorFacts, "now" | "release" | "secrets" | "severalEnvironments" | "targets">;

export function diagnose(facts: DoctorFacts): readonly Finding[] {
  if (facts.setBack !== null) return bySeverity([ofSetBack(facts.setBack), ...ofLockstepItself(facts)]);
  const others = [...keptCopies(facts), ...changedValues(facts, new Commands(facts))];
  return bySeverity([...ofPlaces(facts, others), ...ofLockstepItself(facts)].map(bounded));
}

/** Without what Lockstep keeps elsewhere and what it says of itself; texts are as long as what places say of themselves. */
export function diagnosePlaces(facts: PlaceFacts): readonly Finding[] {
  return ofPlaces(facts, []);
}

/** `others`: what else is said of them. */
function ofPlaces(facts: PlaceFacts, others: readonly Finding[]): readonly Finding[] {
  const commands = new Commands(facts);
  const targets = new Map(facts.targets.map((target) => [nameOf(target.environment, target.name), target]));
  const findings: Finding[] = facts.targets.flatMap((target) => [
    ...diagnoseTarget(target, facts, commands),
    ...unreadCopies(target),
    ...sharedFiles(target),
    ...exposuresOf(target, facts, commands),
  ]);
  findings.push(...others);
  for (const secret of facts.secrets) findings.push(...ofSecret(secret, targets, facts.now, commands));
  const wrong = findings.filter(({ severity }) => severity === "wrong");
  const namedSecrets = new Set(wrong.map(({ secret }) => secret));
  // What keeps it is said already, with what repairs that.
  const unnamed = facts.secrets.filter(({ name }) => !namedSecrets.has(name));
  findings.push(...unnamed.flatMap((secret) => stalled(secret, commands)));
  const namedTargets = new Set(
    findings.filter(saysWhy).map(({ environment, target }) => nameOf(environment, target)),
  );
  for (const target of facts.targets)
    if (!namedTargets.has(nameOf(target.environment, target.name)))
      findings.push(...gaveUpUnseen(target, commands));
  return findings;
}

/** Why nothing arrives at its target: something wrong there, or with the whole of it. A hint is no reason. */
function saysWhy({ severity, secret }: Finding): boolean {
  return severity === "wrong" || (secret === null && severity !== "hint");
}

function ofSecret(
  secret: SecretFacts,
  targets: ReadonlyMap<string, TargetFacts>,
  now: Date,
  commands: Commands,
): readonly Finding[] {
  const findings: Finding[] = [];
  // A token's own finding says more.
  if (secret.current === null && secret.token === null) findings.push(...withoutValue(secret, commands));
  findings.push(...tooOld(secret, now, commands), ...diagnoseToken(secret, now, commands));
  findings.push(...oldUses(secret, now, commands));
  for (const binding of secret.bindings) {
    const target = targets.get(nameOf(binding.targetEnvironment, binding.target));
    if (target === undefined) continue;
    const finding = diagnoseBinding({ secret, binding, target, now }, commands);
    if (finding !== null) findings.push(finding);
    findings.push(...exposedCopies(secret, binding, target), ...otherCopies(secret, binding, target));
  }
  return findings;
}

/** A finding repeats what places, hosts and agents say of themselves: however much that is, a person reads it. */
const MAX_TEXT = 2_000;
const MAX_CONSEQUENCES = 50;

function bounded({ what, cause, consequence, ...finding }: Finding): Finding {
  return {
    ...finding,
    what: boundedText(what, MAX_TEXT),
    cause: boundedText(cause, MAX_TEXT),
    consequence: consequence.slice(0, MAX_CONSEQUENCES).map((one) => boundedText(one, MAX_TEXT)),
  };
}

function nameOf(environment: string | null, name: string | null): string {
  return `${environment ?? ""}/${name ?? ""}`;
}

/** One finding for the secret: its places are right or wrong together once there is a value. */
function withoutValue(secret: SecretFacts, commands: Commands): readonly Finding[] {
  if (secret.bindings.length === 0) return [];
  const about = {
    secret: secret.name,
    target: null,
    key: null,
    placement: null,
    environment: secret.environment,
  };
  const groups = secret.adoption?.groups ?? [];
  const [first] = groups;
  const where = listText(secret.bindings.map(({ target }) => target));
  if (first === undefined) {
    return [
      {
        ...about,
        id: "no-value",
        severity: "cannot-tell",
        what: `${secret.name} has no value in Lockstep yet, so nothing is pushed to ${where}.`,
        cause:
          secret.adoption === null || secret.adoption.unknown > 0
            ? "No value was set or imported, and not every place could be checked."
            : "No value was set or imported, and none of its places holds one.",
        consequence: [],
        command: secret.adoption?.unknown === 0 ? commands.generate(secret) : commands.import(secret, null),
      },
    ];
  }
  const told = groups.map(({ label, places }) => `${label}: ${listText(places.map(({ target }) => target))}`);
  const agree = groups.length === 1 && secret.adoption?.unknown === 0;
  return [
    {
      ...about,
      id: "not-adopted",
      severity: agree ? "cannot-tell" : "wrong",
      what: `${secret.name} has no value in Lockstep yet; its places hold ${agree ? "the same one" : `${groups.length === 1 ? "one value, as far as they could be read" : `${groups.length} different values`}`} (${told.join("; ")}).`,
      cause: agree
        ? "Nobody has imported the value yet, so Lockstep cannot keep it in sync."
        : "Nobody has chosen the right value, so Lockstep changes none.",
      consequence: betweenGroups(groups),
      // The value that most places hold; which one is right, a person must know.
      command: commands.import(secret, agree ? null : (first.places[0]?.target ?? null)),
    },
  ];
}

/** Both values stay valid, so that nobody is refused; but nothing goes on by itself, and the old one is not retired. */
function stalled({ name, environment, rollout }: SecretFacts, commands: Commands): readonly Finding[] {
  if (rollout?.state !== "stalled") return [];
  return [
    {
      id: "rollout-stalled",
      severity: "wrong",
      secret: name,
      target: null,
      key: null,
      placement: null,
      environment,
      what: `The rollout of ${name} is stalled; the old value stays valid meanwhile.`,
      cause: rollout.reason ?? "It takes longer than it should.",
      consequence: [],
      command: commands.showRollout(rollout.id),
    },
  ];
}

/** `maxAge` is a promise to somebody: a rotation that is under way keeps it. */
function tooOld(secret: SecretFacts, now: Date, commands: Commands): readonly Finding[] {
  const { currentMadeAt, maxAgeMs, rollout } = secret;
  if (currentMadeAt === null || maxAgeMs === null) return [];
  const ageMs = now.getTime() - currentMadeAt.getTime();
  if (ageMs <= maxAgeMs) return [];
  const isMoving = rollout !== null && rollout.state === "running";
  return [
    {
      id: "too-old",
      severity: isMoving ? "moving" : "wrong",
      secret: secret.name,
      target: null,
      key: null,
      placement: null,
      environment: secret.environment,
      what: `v${secret.current} of ${secret.name} is ${durationText(ageMs)} old; \`maxAge\` allows ${durationText(maxAgeMs)}.`,
      cause: isMoving
        ? "A rotation is under way."
        : rollout === null
          ? "Since then neither a person nor a schedule (`rotate: { every }`) has rotated it."
          : "A rotation was started, but it is stalled.",
      consequence: [],
      command: isMoving
        ? null
        : rollout === null
          ? commands.generate(secret)
          : commands.showRollout(rollout.id),
    },
  ];
}

function betweenGroups(groups: NonNullable<SecretFacts["adoption"]>["groups"]): readonly string[] {
  return groups.flatMap((calling) =>
    groups.flatMap((called) => {
      const callers = calling.places.filter(({ role }) => role !== "verifier").map(({ target }) => target);
      const verifiers = called.places.filter(({ role }) => role !== "caller").map(({ target }) => target);
      if (calling === called || callers.length === 0 || verifiers.length === 0) return [];
      const sends = callers.length === 1 ? "sends" : "send";
      const accepts = verifiers.length === 1 ? "accepts" : "accept";
      return [
        `Calls from ${listText(callers)} to ${listText(verifiers)} are refused (401 or 403): ${listText(callers)} ${sends} value ${calling.label}, ${listText(verifiers)} ${accepts} value ${called.label}.`,
      ];
    }),
  );
}
