/** How long history is kept: `LOCKSTEP_KEEP=changes=90d,pushes=forever`. What it does not name keeps its default. */
import {
  DAY_MS,
  DEFAULT_RETENTION,
  HISTORY_KINDS,
  type HistoryKind,
  type Retention,
} from "../core/retention.ts";
import { type Environment, invalid, text } from "./env-variables.ts";

const NAME = "LOCKSTEP_KEEP";
/** A hundred years: more is a slip of the hand, and `forever` says it. */
const MAX_DAYS = 36_500;

export function retention(env: Environment): Retention {
  const kept: Record<HistoryKind, number | null> = { ...DEFAULT_RETENTION };
  const named = new Set<string>();
  for (const part of (text(env, NAME) ?? "").split(/[\s,]+/).filter((one) => one !== "")) {
    const [name, days = ""] = part.split(/=(.*)/s, 2);
    const kind = HISTORY_KINDS.find((one) => one === name);
    if (kind === undefined) {
      throw invalid(NAME, "names something that is not kept history", `Use ${HISTORY_KINDS.join(", ")}.`);
    }
    if (named.has(kind)) throw invalid(NAME, `names ${kind} twice`, "Write it once.");
    named.add(kind);
    kept[kind] = days === "forever" ? null : DAY_MS * daysIn(days);
  }
  return kept;
}

function daysIn(written: string): number {
  const days = Number(/^(\d{1,6})d$/.exec(written)?.[1] ?? Number.NaN);
  if (days >= 1 && days <= MAX_DAYS) return days;
  throw invalid(
    NAME,
    "holds a time that is not a number of days",
    "For example changes=30d or pushes=forever.",
  );
}
