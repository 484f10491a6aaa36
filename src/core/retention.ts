/** How long history is kept. What is current, under way or referred to stays whatever its age; the audit log stays too. */
export const HISTORY_KINDS = ["changes", "pushes", "restarts", "alerts", "messages"] as const;

/**
 * changes    what was seen at a place, where it differed from what was seen before
 * pushes     who wrote what where; the newest of each target, and what brought a version that is in use, stay
 * restarts   of units; the newest of each, and its newest success, stay
 * alerts     that are resolved, with their messages
 * messages   to people and programs; the newest delivery and the newest failure of each channel stay
 */
export type HistoryKind = (typeof HISTORY_KINDS)[number];

/** In ms; null: for ever. */
export type Retention = Readonly<Record<HistoryKind, number | null>>;

export const DAY_MS = 86_400_000;

/** Something over a year, so that last year's same day can be compared; changes are many, and of interest for less long. */
export const DEFAULT_RETENTION: Retention = {
  changes: 90 * DAY_MS,
  pushes: 400 * DAY_MS,
  restarts: 400 * DAY_MS,
  alerts: 400 * DAY_MS,
  messages: 90 * DAY_MS,
};
