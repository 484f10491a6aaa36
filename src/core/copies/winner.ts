/** The copy that a process is given in place of the kept one. Pure. */
import type { FoundCopy } from "../ports/copies.ts";

/** Null: none wins over it. */
export function winnerOf(copies: readonly FoundCopy[]): FoundCopy | null {
  return copies.find(({ wins, slot }) => wins && slot === "primary") ?? null;
}
