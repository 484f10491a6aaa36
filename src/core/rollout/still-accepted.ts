/** A service that reads its value only when it is told to, and has not been told yet. Pure. */
import type { Acceptance } from "./member.ts";

/**
 * What the service accepts, although something else stands at its place and is refused: it has not read that yet.
 * Null: it has, or it cannot be told.
 */
export function stillAccepted(
  answers: ReadonlyMap<number, Pick<Acceptance, "verdict">>,
  wanted: number | null,
): number | null {
  if (wanted === null || answers.get(wanted)?.verdict !== "refused") return null;
  return [...answers].find(([, { verdict }]) => verdict === "accepted")?.[0] ?? null;
}
