/** What is kept of an agent's last report, with the last end of a push that it told. Names, versions and words; no value. */
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import type { JsonObject } from "../../core/json.ts";
import type { AgentRecord } from "../../core/store/agents.ts";
import type { TargetRecord } from "../../core/store/targets.ts";
import { reportedAnswer } from "../../protocol/agent/asks.ts";
import { MAX_INCIDENTS, type Report, report } from "../../protocol/agent/messages.ts";

const contentSchema = z.object({
  digest: report.shape.digest,
  look: report.shape.look,
  push: report.shape.push,
  seen: report.shape.seen,
  units: report.shape.units,
  refused: report.shape.refused,
  answers: z.array(reportedAnswer).default([]),
  incidents: report.shape.incidents,
  /** What it named that is not its target's, in our words. */
  strange: z.string().nullable().default(null),
  /** Not on record yet. */
  untold: z
    .object({ refused: z.array(z.string()), incidents: z.array(z.string()) })
    .default({ refused: [], incidents: [] }),
});
export type ReportContent = z.output<typeof contentSchema>;
export type Untold = ReportContent["untold"];

/** On record they are named; the rest is counted, and stands in the report itself. */
const MAX_NAMED = 10;

/** By which word agents answer the last request for a report; null: there was none. */
export function requestWord({
  reportRequestedAtMs,
}: Pick<TargetRecord, "reportRequestedAtMs">): string | null {
  return reportRequestedAtMs === null ? null : String(reportRequestedAtMs);
}

/** Null before its first report, and when an older release wrote what this one cannot read. */
export function contentOf({ report: kept }: Pick<AgentRecord, "report">): ReportContent | null {
  return contentSchema.safeParse(kept).data ?? null;
}

/** A report says once how a push ended, and incidents once; both stay. `next` is bounded already. */
export function mergeContent(
  before: ReportContent | null,
  next: Report,
  strange: string | null,
): ReportContent {
  const { digest, look, push, seen, units, refused, answers = [], incidents } = next;
  return {
    digest,
    look,
    push: push ?? before?.push ?? null,
    seen,
    units,
    refused,
    answers,
    incidents: [...(before?.incidents ?? []), ...incidents].slice(-MAX_INCIDENTS),
    strange,
    untold: untoldOf(before, next, strange),
  };
}

/** The same again is told once. */
function untoldOf(
  before: ReportContent | null,
  { refused, incidents }: Report,
  strange: string | null,
): Untold {
  const isNew = !isDeepStrictEqual(refused, before?.refused ?? []);
  const waiting = before?.untold ?? { refused: [], incidents: [] };
  const named = [
    ...(strange !== null && before?.strange == null ? [strange] : []),
    ...(isNew ? refused.map(({ what }) => what) : []),
  ];
  return {
    refused: few(named.length === 0 ? waiting.refused : named),
    incidents: [...waiting.incidents, ...incidents.map(({ code, message }) => `${code}: ${message}`)].slice(
      -MAX_NAMED,
    ),
  };
}

function few(named: readonly string[]): string[] {
  const more = named.length - MAX_NAMED;
  return more <= 1 ? [...named] : [...named.slice(0, MAX_NAMED), `… and ${more} more`];
}

/** As it is stored. */
export function storedContent(content: ReportContent): JsonObject {
  return JSON.parse(JSON.stringify(content)) as JsonObject;
}
