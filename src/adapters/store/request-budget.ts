/**
 * The requests that a credential's owner grants, shared by all workers: one row per credential.
 *
 * Promises: over a window no more is handed out than the limit, whatever the number of workers; what the place says
 * about itself counts at once and only tightens within a window; the last fifth is for pushes, so that looking
 * around never stops a rotation. All time is the database's.
 *
 * A worker borrows a few requests for pushes at a time, so that a rollout does not queue on one row. Other workers'
 * loans outlive a block by at most LOAN_MS; unspent ones go back with the next borrowing.
 */
import { type Kysely, sql } from "kysely";
import { LockstepError } from "../../core/errors.ts";
import type { RequestBudget } from "../../core/ports/target-context.ts";
import type { Database } from "./schema/schema.ts";
import { runTransaction } from "./transaction.ts";

/** Until the place reports its own: Railway's smallest plan grants 1,000 an hour. */
const DEFAULT_LIMIT = 1_000;
const DEFAULT_WINDOW_MS = 3_600_000;
/** Kept for pushes. */
const RESERVED_SHARE = 0.2;
const PUSH_LOAN = 10;
const LOAN_MS = 5_000;
/** A reset that a place names beyond this is not believed. */
const MAX_WINDOW_MS = 24 * 3_600_000;
/** Places count down in whole seconds, so one window's end wanders a little. */
const SAME_WINDOW_MS = 5_000;
const MAX_INTEGER = 2_147_483_647;

type Seen = Parameters<RequestBudget["report"]>[1];

interface Loan {
  amount: number;
  /** Which window it was taken from, in the database's time. */
  readonly windowEndsAtMs: number;
  /** On this process's monotonic clock. */
  readonly expiresAtMs: number;
}

interface Row {
  readonly limit: number;
  readonly remaining: number;
  readonly nowMs: number;
  readonly windowEndsAtMs: number;
  /** 0 when not blocked. */
  readonly blockedForMs: number;
}

interface Borrowing {
  readonly cost: number;
  readonly wanted: number;
  readonly reservedShare: number;
  readonly returned: Loan | null;
}

export class PostgresRequestBudget implements RequestBudget {
  readonly #db: Kysely<Database>;
  readonly #loans = new Map<string, Loan>();

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  async take(key: string, cost: number, purpose: "push" | "background"): Promise<void> {
    if (purpose === "background") {
      await this.#borrow(key, { cost, wanted: cost, reservedShare: RESERVED_SHARE, returned: null });
      return;
    }
    if (this.#spendLoan(key, cost)) return;
    // Taken out before the first await: two borrowings at once must not give it back twice.
    const returned = this.#loans.get(key) ?? null;
    this.#loans.delete(key);
    try {
      const wanted = Math.max(cost, PUSH_LOAN);
      const loan = await this.#borrow(key, { cost, wanted, reservedShare: 0, returned });
      if (loan.amount > cost) this.#keepLoan(key, { ...loan, amount: loan.amount - cost });
    } catch (error) {
      if (returned !== null && !this.#loans.has(key)) this.#loans.set(key, returned);
      throw error;
    }
  }

  async report(key: string, seen: Seen): Promise<void> {
    // At once, before the database answers: this worker heard it itself.
    if (seen.retryAfterMs !== undefined || seen.remaining === 0) this.#loans.delete(key);
    await runTransaction(this.#db, async (tx) => {
      const row = await lockRow(tx, key);
      await writeRow(tx, key, afterReport(row, seen));
    });
  }

  #borrow(
    key: string,
    { cost, wanted, reservedShare, returned }: Borrowing,
  ): Promise<{ readonly amount: number; readonly windowEndsAtMs: number }> {
    return runTransaction(this.#db, async (tx) => {
      const row = await lockRow(tx, key);
      if (row.blockedForMs > 0) throw spent(row.blockedForMs);
      const comesBack = returned?.windowEndsAtMs === row.windowEndsAtMs ? returned.amount : 0;
      const remaining = Math.min(row.limit, row.remaining + comesBack);
      const amount = Math.min(wanted, remaining - Math.ceil(row.limit * reservedShare));
      if (amount < cost) throw spent(row.windowEndsAtMs - row.nowMs);
      await writeRow(tx, key, { ...row, remaining: remaining - amount });
      return { amount, windowEndsAtMs: row.windowEndsAtMs };
    });
  }

  #spendLoan(key: string, cost: number): boolean {
    const loan = this.#loans.get(key);
    if (loan === undefined || loan.amount < cost || performance.now() > loan.expiresAtMs) return false;
    loan.amount -= cost;
    return true;
  }

  /** Two borrowings at once add up. */
  #keepLoan(key: string, loan: { readonly amount: number; readonly windowEndsAtMs: number }): void {
    const other = this.#loans.get(key);
    const more = other?.windowEndsAtMs === loan.windowEndsAtMs ? other.amount : 0;
    this.#loans.set(key, {
      amount: loan.amount + more,
      windowEndsAtMs: loan.windowEndsAtMs,
      expiresAtMs: performance.now() + LOAN_MS,
    });
  }
}

/** The row as the place's word leaves it. Pure. */
function afterReport(row: Row, seen: Seen): Row {
  const limit = whole(seen.limit) ?? row.limit;
  const windowEndsAtMs = believableReset(seen.resetsAt, row);
  // Within a window only tightening counts: answers overtake each other, and loans are out. In a later window, or
  // under a limit that we did not know, our count says nothing.
  const startsAnew = windowEndsAtMs > row.windowEndsAtMs + SAME_WINDOW_MS || limit !== row.limit;
  const counted = startsAnew ? limit : row.remaining;
  const unreported = startsAnew ? Math.max(0, limit - (row.limit - row.remaining)) : row.remaining;
  const remaining = Math.min(counted, whole(seen.remaining) ?? unreported);
  const blockedForMs = Math.max(row.blockedForMs, Math.min(whole(seen.retryAfterMs) ?? 0, MAX_WINDOW_MS));
  return { limit, remaining, nowMs: row.nowMs, windowEndsAtMs, blockedForMs };
}

/** The place's clock is not ours: a reset in the past, or far away, is not one. */
function believableReset(resetsAt: Date | undefined, row: Row): number {
  const resetsAtMs = resetsAt?.getTime() ?? Number.NaN;
  const believable = resetsAtMs > row.nowMs && resetsAtMs < row.nowMs + MAX_WINDOW_MS;
  return believable ? resetsAtMs : row.windowEndsAtMs;
}

function whole(value: number | undefined): number | undefined {
  if (value === undefined || !Number.isFinite(value)) return undefined;
  return Math.min(Math.max(0, Math.ceil(value)), MAX_INTEGER);
}

/** Makes the row at first use, locks it, and lets a window that is over begin again. */
async function lockRow(tx: Kysely<Database>, key: string): Promise<Row> {
  await tx
    .insertInto("rate_budget")
    .values({
      key,
      limit_per_window: DEFAULT_LIMIT,
      window_ms: DEFAULT_WINDOW_MS,
      remaining: DEFAULT_LIMIT,
      window_ends_at: sql<Date>`clock_timestamp() + make_interval(secs => ${DEFAULT_WINDOW_MS / 1_000})`,
    })
    .onConflict((conflict) => conflict.column("key").doNothing())
    .execute();
  const row = await tx
    .selectFrom("rate_budget")
    .select(["limit_per_window", "window_ms", "remaining", "window_ends_at", "blocked_until"])
    .select(sql<Date>`clock_timestamp()`.as("now"))
    .where("key", "=", key)
    .forUpdate()
    .executeTakeFirstOrThrow();
  const nowMs = row.now.getTime();
  const isOver = row.window_ends_at.getTime() <= nowMs;
  return {
    limit: row.limit_per_window,
    remaining: isOver ? row.limit_per_window : row.remaining,
    nowMs,
    windowEndsAtMs: isOver ? nowMs + row.window_ms : row.window_ends_at.getTime(),
    blockedForMs: Math.max(0, (row.blocked_until?.getTime() ?? 0) - nowMs),
  };
}

async function writeRow(tx: Kysely<Database>, key: string, row: Row): Promise<void> {
  await tx
    .updateTable("rate_budget")
    .set({
      limit_per_window: row.limit,
      remaining: row.remaining,
      window_ends_at: new Date(row.windowEndsAtMs),
      blocked_until: row.blockedForMs > 0 ? new Date(row.nowMs + row.blockedForMs) : null,
    })
    .where("key", "=", key)
    .execute();
}

function spent(retryAfterMs: number): LockstepError {
  return new LockstepError("TARGET_RATE_LIMITED", "Cannot ask the place now: its request budget is spent.", {
    retryAfterMs: Math.max(1, Math.ceil(retryAfterMs)),
  });
}
