/** Lists that the server gives out by pages, for whoever wants more of one than a page holds. */

import { LockstepError } from "../../core/errors.ts";
import { shellCommand } from "../../lib/shell-quote.ts";
import type { Cli } from "./cli.ts";

/** As many as the server gives at once. */
const PAGE_LIMIT = 500;

export interface PageQuery {
  readonly limit: number;
  readonly after?: string;
}

export interface Pages<Row> {
  readonly rows: readonly Row[];
  /** Where to go on; null: nothing follows. */
  readonly next: string | null;
}

/** A list that does not end, or begins again, is none of a server's. */
const MAX_PAGES = 2_000;

/** `limit` rows, or all of them where it is left out. Throws SERVER_UNREACHABLE for pages that no server of ours gives. */
export async function readPages<Row>(
  { limit = Number.POSITIVE_INFINITY, after }: { readonly limit?: number; readonly after?: string },
  ask: (page: PageQuery) => Promise<Pages<Row>>,
): Promise<Pages<Row>> {
  const rows: Row[] = [];
  let next = after ?? null;
  for (let pages = 0; ; pages += 1) {
    const page = await ask({
      limit: Math.min(PAGE_LIMIT, limit - rows.length),
      ...(next === null ? {} : { after: next }),
    });
    rows.push(...page.rows);
    // An earlier release gives everything at once, and says nothing of pages.
    const following: unknown = page.next ?? null;
    if (following === null) return { rows, next: null };
    if (typeof following !== "string" || following === next || page.rows.length === 0 || pages === MAX_PAGES)
      throw new LockstepError("SERVER_UNREACHABLE", "The server's list does not end.", {
        hint: "Check that LOCKSTEP_URL names a Lockstep server, and that nothing between changes its answers.",
      });
    next = following;
    if (rows.length >= limit) return { rows, next };
  }
}

/** How to see what follows, with what was asked for. */
export function noteNext(
  { output }: Pick<Cli, "output">,
  next: string | null,
  command: string,
  options: object,
): void {
  if (next === null) return;
  const asked: Readonly<Record<string, unknown>> = { ...options, after: next };
  const given = Object.entries(asked).flatMap(([option, value]) => {
    if (value === undefined || value === null || value === false) return [];
    return value === true ? [`--${option}`] : [`--${option}`, String(value)];
  });
  output.note(`There is more: ${shellCommand(["lockstep", ...command.split(" "), ...given])}`);
}
