/** What the store knows, in the form that doctor reasons from. Asks no place. */
import type {
  BindingFacts,
  DoctorFacts,
  SecretFacts,
  TargetError,
  TargetFacts,
  TokenFacts,
} from "../../core/doctor/facts.ts";
import { HEALER, HEALS_PER_HOUR } from "../../core/drift/healing.ts";
import { CATALOGUE } from "../../core/error-catalogue.ts";
import type { ErrorCode } from "../../core/errors.ts";
import { mustAct } from "../../core/renewal/decide.ts";
import { slotsOf } from "../../core/rollout/slots.ts";
import type { RenewalCandidate } from "../../core/store/renewals.ts";
import type { TargetRecord } from "../../core/store/targets.ts";
import type { BindingRow, RolloutRow, SecretRow, TargetRow } from "../../core/store/views.ts";
import { durationMs } from "../../lib/duration.ts";
import { groupBy } from "../../lib/group-by.ts";
import type { AppContext } from "../base/context.ts";
import { issueOf, issuerOf } from "../base/renew-policy.ts";
import { rotatePolicyOf } from "../base/rollout-options.ts";
import { kindOf } from "../targets/open-target.ts";
import { contentOf } from "../targets/report-content.ts";
import { bindingStatus, freshFinding } from "./binding-status.ts";
import { keyRingsOf, recoveryCopyOf, sealingOf } from "./root-key-facts.ts";
import { valueFacts } from "./value-facts.ts";

export interface Recorded {
  readonly secrets: readonly SecretRow[];
  readonly bindings: readonly BindingRow[];
  /** Where they are bound, and what else belongs to the environment. */
  readonly targets: readonly TargetRow[];
  readonly severalEnvironments: boolean;
}

const MAX_ROLLOUTS = 500;
const MAX_NAMED = 5;

export async function readRecorded(context: AppContext, environment: string | undefined): Promise<Recorded> {
  const { views, secrets: repo } = context.store.read;
  const filter = environment === undefined ? {} : { environment };
  // One after the other, on one connection: every worker reads this every few seconds.
  const secrets = await views.secrets(filter);
  const bindings = await views.bindings(filter);
  const targets = await views.targets({});
  const environments = await repo.listEnvironments();
  const bound = new Set(bindings.map(({ targetId }) => targetId));
  return {
    secrets,
    bindings,
    targets: targets.filter(
      (target) => target.environment === environment || environment === undefined || bound.has(target.id),
    ),
    severalEnvironments: environments.length > 1,
  };
}

function tokenFacts(context: AppContext, candidate: RenewalCandidate): TokenFacts {
  const { policy, newest, state } = candidate;
  const { issuer, config } = issuerOf(context, policy);
  return {
    expiresAt: newest?.expiresAtMs == null ? null : new Date(newest.expiresAtMs),
    failures: state.failures,
    error: state.failed?.message ?? null,
    mustAct: mustAct(candidate, issueOf(policy)),
    usedUp: issuer.singleUse(config),
  };
}

export interface Looked {
  /** By target id; null: no place was asked. */
  readonly failures: ReadonlyMap<string, TargetError | null> | null;
  /** By secret id. */
  readonly adoptions: ReadonlyMap<string, SecretFacts["adoption"]>;
  readonly records: ReadonlyMap<string, TargetRecord>;
  readonly queueAway: boolean;
  readonly queueTrouble?: DoctorFacts["queueTrouble"];
}

const HOUR_MS = 3_600_000;
/** Below that looks stop, and pushes have the rest. */
const LOW_SHARE = 0.2;
const ENDS_SOON_MS = 7 * 24 * HOUR_MS;
/** Made for a job of a few days: its end is meant. */
const SHORT_LIFE_MS = 2 * ENDS_SOON_MS;

function isSoon(endsAt: Date, madeAt: Date, now: Date): boolean {
  const leftMs = endsAt.getTime() - now.getTime();
  return leftMs > 0 && leftMs < ENDS_SOON_MS && endsAt.getTime() - madeAt.getTime() > SHORT_LIFE_MS;
}

/** Half of the way there and back is not known, and told as no difference. */
async function clockSkewMs({ store, ownClock }: AppContext): Promise<number> {
  const beforeMs = ownClock.now().getTime();
  const storeMs = await store.read.meta.storeNow();
  const afterMs = ownClock.now().getTime();
  if (storeMs > afterMs) return storeMs - afterMs;
  return storeMs < beforeMs ? storeMs - beforeMs : 0;
}

/** `recorded` as it is after the looks, which leave their observations in the store. */
export async function gatherFacts(
  context: AppContext,
  recorded: Recorded,
  looked: Looked,
): Promise<DoctorFacts> {
  const { read } = context.store;
  const open = await read.views.rollouts({ open: true, limit: MAX_ROLLOUTS });
  const rollouts = new Map(open.map((rollout) => [rollout.secretId, rollout]));
  const targets = new Map(recorded.targets.map((target) => [target.id, target]));
  const bySecret = groupBy(recorded.bindings, (binding) => binding.secretId);
  const tokens = new Map((await read.renewals.candidates()).map((one) => [one.id, tokenFacts(context, one)]));
  const secrets = recorded.secrets.map((secret): SecretFacts => {
    return {
      name: secret.name,
      environment: secret.environment,
      current: secret.currentVersion,
      currentSince: secret.currentSince,
      currentMadeAt: secret.currentMadeAt,
      maxAgeMs: durationMs(rotatePolicyOf(secret.policy).maxAge) ?? null,
      rollout: rolloutFacts(rollouts.get(secret.id)),
      bindings: (bySecret.get(secret.id) ?? []).map((row) =>
        bindingFacts(row, targets.get(row.targetId)?.environment ?? secret.environment, looked),
      ),
      token: tokens.get(secret.id) ?? null,
      adoption: looked.adoptions.get(secret.id) ?? null,
    };
  });
  const agents = await agentFacts(context, recorded.targets);
  const heals = await read.checks.healsWithin(HEALER.id, HOUR_MS);
  const now = context.clock.now();
  const meta = await read.meta.read();
  const sealedUnder = await read.sealedTexts.countByKey();
  return {
    now,
    release: context.release,
    setBack: await read.meta.setBack(),
    clockSkewMs: await clockSkewMs(context),
    checksLateMs: await read.checks.lateMs(),
    recoveryCopy: recoveryCopyOf(context, meta),
    sealing: meta === null ? null : sealingOf(context, meta, sealedUnder),
    keyRings: await keyRingsOf(context, sealedUnder),
    keptCopies: await read.keptCopies.list(),
    values: await valueFacts(context),
    // After the rings were asked, which may have logged in. Doctor runs in the server's process, the watch in a worker's:
    // each tells of the token of its own process alone.
    vaultToken: context.vaultToken?.health() ?? null,
    lowBudgets: await read.checks.lowBudgets(LOW_SHARE),
    endingTokens: (await read.tokens.list()).flatMap(({ name, createdAt, expiresAt, revokedAt }) =>
      expiresAt !== null && revokedAt === null && isSoon(expiresAt, createdAt, now)
        ? [{ name, endsAt: expiresAt }]
        : [],
    ),
    severalEnvironments: recorded.severalEnvironments,
    secrets,
    targets: recorded.targets.map((target) => {
      const agent = agents.get(target.id);
      const count = heals.get(target.id) ?? 0;
      const healsInVain = count < HEALS_PER_HOUR ? 0 : count;
      return { ...targetFacts(target, looked), healsInVain, ...(agent === undefined ? {} : { agent }) };
    }),
    queueAway: looked.queueAway,
    queueTrouble: looked.queueTrouble ?? null,
    mutedChannels: (await read.channels.health()).flatMap(({ name, error }) =>
      error === null ? [] : [{ name, reason: error.message, since: error.since }],
    ),
  };
}

/** By target that only an agent reaches: the lasting one, or the last heard of several containers. */
async function agentFacts(
  context: AppContext,
  targets: readonly TargetRow[],
): Promise<ReadonlyMap<string, NonNullable<TargetFacts["agent"]>>> {
  const ids = targets.filter(({ kind }) => kindOf(context, kind).isReported).map(({ id }) => id);
  const agents = groupBy(await context.store.read.agents.activeAt(ids), ({ targetId }) => targetId);
  return new Map(
    ids.map((id) => {
      const heard = (agents.get(id) ?? []).flatMap(({ lastSeenAt }) => lastSeenAt?.getTime() ?? []);
      const lastSeenAt = heard.length === 0 ? null : new Date(Math.max(...heard));
      const active = agents.get(id) ?? [];
      const refused = active.flatMap((agent) =>
        (contentOf(agent)?.refused ?? []).map(({ what, reason }) => `${what}: ${reason}`),
      );
      const releases = active.flatMap(({ facts }) =>
        typeof facts["version"] === "string" ? [facts["version"]] : [],
      );
      const ahead = active.find(({ clockAheadSeconds }) => clockAheadSeconds !== null)?.clockAheadSeconds;
      const clock = ahead == null ? {} : { clockAheadMs: ahead * 1_000 };
      return [id, { lastSeenAt, refused: few(refused), releases: few(releases), ...clock }];
    }),
  );
}

/** Many agents of one target may each say something else: the first ones stand for all. */
function few(told: readonly string[]): readonly string[] {
  const distinct = [...new Set(told)];
  const more = distinct.length - MAX_NAMED;
  return more <= 0 ? distinct : [...distinct.slice(0, MAX_NAMED), `… and ${more} more`];
}

function rolloutFacts(row: RolloutRow | undefined): SecretFacts["rollout"] {
  if (row === undefined || (row.state !== "running" && row.state !== "stalled")) return null;
  const { id, state, reason, fromVersion: from } = row;
  const settlingSince = row.phase === "settle" ? row.phaseStartedAt : null;
  return { id, state, reason, from, settlingSince };
}

function bindingFacts(row: BindingRow, targetEnvironment: string, looked: Looked): BindingFacts {
  const status = bindingStatus(row);
  const settled = row.settled.primary ?? null;
  const wanted = slotsOf(row, row.currentVersion, row.rollout);
  const { found } = freshFinding(row, settled);
  // What was in order when it was seen last may not be now.
  const blind = (looked.failures?.get(row.targetId) ?? null) !== null;
  return {
    target: row.target,
    targetEnvironment,
    placement: row.placement,
    key: row.key,
    role: row.role,
    wanted: wanted.primary,
    settled,
    settledAt: row.settledAt,
    state: blind && status.state === "in-sync" ? "unreadable" : status.state,
    version: status.version,
    fallback: row.settled.fallback ?? null,
    found,
    foundReason: found === row.found ? row.foundReason : null,
    observedAt: row.observedAt,
    evidence: status.evidence,
    oldUse: oldUseOf(row),
    copies: row.copies,
    lacking: row.lacking,
    unit: status.state === "owed" && settled === wanted.primary ? unitFacts(row) : null,
  };
}

function oldUseOf({ usedBy, rollout }: BindingRow): BindingFacts["oldUse"] {
  const use = usedBy?.[String(rollout?.fromVersion ?? "")];
  return use === undefined ? null : { at: new Date(use.at), callers: use.callers };
}

/** The first unit that has not started with what is stored. */
function unitFacts({ activations }: BindingRow): BindingFacts["unit"] {
  for (const { unit, state, errorMessage } of activations) {
    if (state === "owed") return { name: unit, state: "waiting", error: null };
    if (state === "requested") return { name: unit, state: "restarting", error: null };
    if (state === "blocked" || state === "failed")
      return { name: unit, state: "blocked", error: errorMessage };
  }
  return null;
}

function targetFacts(row: TargetRow, { failures, records }: Looked): Omit<TargetFacts, "healsInVain"> {
  const failure = failures?.get(row.id);
  return {
    name: row.name,
    environment: row.environment,
    kind: row.kind,
    sshAddress: sshAddressOf(records.get(row.id)),
    ...systemdUnitOf(records.get(row.id)),
    testFailures: row.testFailures,
    exposures: row.exposures,
    unreadCopies: row.unreadCopies,
    sharedFiles: row.sharedFiles,
    gaveUp: row.gaveUp,
    error:
      row.errorCode === null
        ? null
        : { code: row.errorCode, message: row.errorMessage ?? "", hint: hintOf(row.errorCode) },
    nextActionAt: row.nextActionAt,
    look: failures === null || failure === undefined ? null : (failure ?? "looked"),
  };
}

function hintOf(code: string): string {
  return code in CATALOGUE ? CATALOGUE[code as ErrorCode].hint : "";
}

function sshAddressOf(record: TargetRecord | undefined): TargetFacts["sshAddress"] {
  const ssh = record?.config["ssh"];
  if (typeof ssh !== "object" || ssh === null || !("host" in ssh)) return null;
  const { host, port, user } = ssh;
  return typeof host === "string" && typeof port === "number" && typeof user === "string"
    ? { host, port, user }
    : null;
}

function systemdUnitOf(record: TargetRecord | undefined): Pick<TargetFacts, "systemdUnit" | "isUserUnit"> {
  const { systemd = null } = (record?.config["activate"] ?? {}) as { readonly systemd?: unknown };
  if (typeof systemd === "string") return { systemdUnit: systemd };
  const unit = typeof systemd === "object" && systemd !== null && "unit" in systemd ? systemd.unit : null;
  return typeof unit === "string" ? { systemdUnit: unit, isUserUnit: true } : { systemdUnit: null };
}
