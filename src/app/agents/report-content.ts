/** What is kept of an agent's last report, with the last end of a push that it told. Names, versions and words; no value. */
import { z } from "zod";
import type { AgentRecord } from "../../core/ports/store/agents.ts";
import type { JsonObject } from "../../core/ports/target.ts";
import { reportedAnswer } from "../../protocol/agent/asks.ts";
import { type Report, report } from "../../protocol/agent/messages.ts";

const contentSchema = z.object({
  digest: report.shape.digest,
  look: report.shape.look,
  push: report.shape.push,
  seen: report.shape.seen,
  units: report.shape.units,
  refused: report.shape.refused,
  answers: z.array(reportedAnswer).default([]),
  incidents: report.shape.incidents,
});
export type ReportContent = z.output<typeof contentSchema>;

const MAX_INCIDENTS = 20;

/** Null before its first report, and when an older release wrote what this one cannot read. */
export function contentOf({ report: kept }: Pick<AgentRecord, "report">): ReportContent | null {
  return contentSchema.safeParse(kept).data ?? null;
}

/** A report says once how a push ended, and incidents once; both stay. */
export function mergeContent(before: ReportContent | null, next: Report): ReportContent {
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
  };
}

/** As it is stored. */
export function storedContent(content: ReportContent): JsonObject {
  return JSON.parse(JSON.stringify(content)) as JsonObject;
}
