/**
 * `lockstep doctor`: looks at every place now, in parallel and for a bounded time, and says what is wrong, why, who is
 * refused because of it and what repairs it. Writes nothing but what it saw.
 */
import { diagnose } from "../../core/doctor/diagnose.ts";
import type { SecretFacts, TargetError } from "../../core/doctor/facts.ts";
import { healthOf, verdictOf } from "../../core/doctor/verdict.ts";
import { isSourceAwayCode, LockstepError, toLockstepError } from "../../core/errors.ts";
import type { SecretRow } from "../../core/store/views.ts";
import { groupBy } from "../../lib/group-by.ts";
import { mapLimited } from "../../lib/map-limited.ts";
import type { DoctorAnswer } from "../../protocol/api-doctor.ts";
import type { AppContext } from "../base/context.ts";
import { inTime } from "../base/in-time.ts";
import { lookForAdoption } from "../config/adoption.ts";
import { checkTargets } from "../drift/check-targets.ts";
import { bindingStatus } from "../status/binding-status.ts";
import { gatherFacts } from "../status/gather-facts.ts";
import type { LiveAnswers } from "../status/live-answers.ts";
import { type Recorded, readRecorded } from "../status/recorded.ts";
import { secretStatusOf } from "../status/status.ts";

export interface DoctorRequest {
  readonly environment?: string;
  /** False: only what is recorded. */
  readonly live: boolean;
  /** For one place. */
  readonly timeoutMs: number;
}

/** More than `check` asks at once: somebody is waiting. */
const MAX_AT_ONCE = 32;
/** Longer than the queue itself waits, so that it can say why. */
const QUEUE_TIMEOUT_MS = 2_500;

/** Throws NOT_FOUND for an environment that does not exist, so that looking at nothing never reads as "all is well". */
export async function runDoctor(
  context: AppContext,
  request: DoctorRequest,
  signal: AbortSignal,
): Promise<DoctorAnswer> {
  const { environment, live } = request;
  await assertEnvironment(context, environment);
  const before = await readRecorded(context, environment);
  const [failures, adoptions, queue] = await Promise.all([
    live ? observeAffected(context, before, request, signal) : null,
    live ? lookAtUnset(context, before, request, signal) : new Map<string, SecretFacts["adoption"]>(),
    live ? lookAtQueue(context, before, signal) : { queueAway: false },
  ]);
  const recorded = live ? await readRecorded(context, environment) : before;
  const facts = await gatherFacts(context, recorded, { failures, adoptions, ...queue });
  const findings = diagnose(facts);
  const bindings = groupBy(recorded.bindings, (row) => row.secretId);
  return {
    ok: healthOf(findings) === "well",
    checkedAt: facts.now.toISOString(),
    live,
    verdict: verdictOf(facts, findings),
    secrets: recorded.secrets.map((secret, index) => ({
      ...secretStatusOf(secret),
      bindings: (bindings.get(secret.id) ?? []).map((row, at) => {
        const status = bindingStatus(row);
        const state = facts.secrets[index]?.bindings[at]?.state ?? status.state;
        const reason = failures?.get(row.targetId)?.message ?? status.reason;
        return { ...status, state, reason: state === "in-sync" ? null : reason };
      }),
    })),
    findings: findings.map((finding) => ({ ...finding, consequence: [...finding.consequence] })),
  };
}

async function assertEnvironment(context: AppContext, name: string | undefined): Promise<void> {
  if (name === undefined || (await context.store.read.secrets.findEnvironment(name)) !== null) return;
  throw new LockstepError("NOT_FOUND", `There is no environment "${name}".`);
}

async function observeAffected(
  context: AppContext,
  recorded: Recorded,
  { timeoutMs }: DoctorRequest,
  signal: AbortSignal,
): Promise<LiveAnswers["failures"]> {
  const targets = await context.store.read.targets.findAll(recorded.targets.map(({ id }) => id));
  const checked = await checkTargets(context, targets, signal, {
    maxAtOnce: MAX_AT_ONCE,
    timeoutMs,
    asksAgents: true,
  });
  return new Map(
    checked.map(({ error }, index) => {
      // One finding of its own tells that a source of ours is away; no place is to blame.
      const told: TargetError | null = error !== null && isSourceAwayCode(error.code) ? null : error;
      return [targets[index]?.id ?? "", told];
    }),
  );
}

/** Of secrets without a value no place was asked: nothing is wanted there yet. But what stands there matters. */
async function lookAtUnset(
  context: AppContext,
  { secrets, bindings }: Recorded,
  { timeoutMs }: DoctorRequest,
  signal: AbortSignal,
): Promise<LiveAnswers["adoptions"]> {
  const bound = new Set(bindings.map(({ secretId }) => secretId));
  const unset = secrets.filter(({ id, currentVersion }) => currentVersion === null && bound.has(id));
  const found = await mapLimited(unset, MAX_AT_ONCE, async (secret) => {
    const adoption = await adoptionOf(context, secret, timeoutMs, signal).catch((error: unknown) => {
      context.log.warn("doctor could not look at a secret's places", { code: toLockstepError(error).code });
      return null;
    });
    return [secret.id, adoption] as const;
  });
  return new Map(found);
}

async function adoptionOf(
  context: AppContext,
  secret: SecretRow,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<SecretFacts["adoption"]> {
  const { view } = await inTime(secret.name, signal, timeoutMs, (limited) =>
    lookForAdoption(context, secret, limited),
  );
  return {
    groups: view.groups.map(({ label, places }) => ({
      label,
      places: places.map(({ target, key, role }) => ({ target, key, role })),
    })),
    unknown: view.unknown.length,
  };
}

/** Asked with a hint that finds nothing to do: a target that owes nothing is looked at and left alone. */
async function lookAtQueue(
  context: AppContext,
  { targets }: Recorded,
  signal: AbortSignal,
): Promise<Pick<LiveAnswers, "queueAway" | "queueTrouble">> {
  const [first] = targets;
  const concern = (): LiveAnswers["queueTrouble"] => context.queue.concern?.() ?? null;
  if (first === undefined) return { queueAway: false, queueTrouble: concern() };
  try {
    await inTime(first.name, signal, QUEUE_TIMEOUT_MS, () =>
      context.queue.enqueue([{ name: "reconcile", id: first.id }]),
    );
    return { queueAway: false, queueTrouble: concern() };
  } catch (error) {
    return { queueAway: true, queueTrouble: troubleIn(error) };
  }
}

/** What the queue's own refusal tells; a queue that is silent tells nothing. */
function troubleIn(error: unknown): LiveAnswers["queueTrouble"] {
  if (!(error instanceof LockstepError) || error.code !== "QUEUE_UNAVAILABLE") return null;
  const { reason } = error.details;
  return typeof reason === "string" ? { what: reason, remedy: error.hint } : null;
}
