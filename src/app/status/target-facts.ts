/** Targets as doctor reasons from them: what their last push, their last check and their agents said. */
import type { TargetError, TargetFacts } from "../../core/doctor/facts.ts";
import { HEALER, HEALS_PER_HOUR } from "../../core/drift/healing.ts";
import { CATALOGUE } from "../../core/error-catalogue.ts";
import type { ErrorCode } from "../../core/errors.ts";
import type { TargetRecord } from "../../core/store/targets.ts";
import type { TargetRow } from "../../core/store/views.ts";
import { groupBy } from "../../lib/group-by.ts";
import type { AppContext } from "../base/context.ts";
import { contentOf } from "../targets/report-content.ts";
import type { LiveAnswers } from "./live-answers.ts";

const MAX_NAMED = 5;
const HOUR_MS = 3_600_000;

export async function targetFacts(
  context: AppContext,
  rows: readonly TargetRow[],
  failures: LiveAnswers["failures"],
): Promise<readonly TargetFacts[]> {
  const { read } = context.store;
  const found = await read.targets.findAll(rows.map(({ id }) => id));
  const records = new Map(found.map((record) => [record.id, record]));
  const agents = await agentFacts(context, rows);
  const heals = await read.checks.healsWithin(HEALER.id, HOUR_MS);
  return rows.map((row) => {
    const agent = agents.get(row.id);
    const count = heals.get(row.id) ?? 0;
    const healsInVain = count < HEALS_PER_HOUR ? 0 : count;
    return {
      ...rowFacts(context, row, records.get(row.id), failures),
      healsInVain,
      ...(agent === undefined ? {} : { agent }),
    };
  });
}

/** Why they could not be observed when a check last tried, by their ids. */
export async function recordedFailures(
  context: AppContext,
  targets: readonly TargetRow[],
): Promise<ReadonlyMap<string, TargetError>> {
  const failures = await context.store.read.checks.failures(targets.map(({ id }) => id));
  return new Map(
    failures.map(({ targetId, code, message }) => [targetId, { code, message, hint: hintOf(code) }]),
  );
}

function hintOf(code: string): string {
  return code in CATALOGUE ? CATALOGUE[code as ErrorCode].hint : "";
}

/** By target that only an agent reaches: the lasting one, or the last heard of several containers. */
async function agentFacts(
  context: AppContext,
  targets: readonly TargetRow[],
): Promise<ReadonlyMap<string, NonNullable<TargetFacts["agent"]>>> {
  const ids = targets
    .filter(({ kind }) => context.targetKinds.get(kind)?.delivery === "agent")
    .map(({ id }) => id);
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
function few(reported: readonly string[]): readonly string[] {
  const distinct = [...new Set(reported)];
  const more = distinct.length - MAX_NAMED;
  return more <= 0 ? distinct : [...distinct.slice(0, MAX_NAMED), `… and ${more} more`];
}

function rowFacts(
  context: AppContext,
  row: TargetRow,
  record: TargetRecord | undefined,
  failures: LiveAnswers["failures"],
): Omit<TargetFacts, "healsInVain"> {
  const failure = failures?.get(row.id);
  return {
    name: row.name,
    environment: row.environment,
    kind: row.kind,
    ...machineFacts(context, record),
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

function machineFacts(
  context: AppContext,
  record: TargetRecord | undefined,
): Pick<TargetFacts, "sshAddress" | "systemdUnit" | "isUserUnit"> {
  // One of a newer release, which runs beside this one, says nothing here.
  const machine =
    record === undefined ? undefined : context.targetKinds.get(record.kind)?.machine?.(record.config);
  const systemd = machine?.systemd ?? null;
  return {
    sshAddress: machine?.ssh ?? null,
    systemdUnit: systemd?.unit ?? null,
    ...(systemd?.isUser ? { isUserUnit: true } : {}),
  };
}
