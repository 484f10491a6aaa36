/** Looking at what was asked of the platform. */
import { z } from "zod";
import { command } from "./command.ts";

const NOTHING = z.strictObject({});
const FILTER = {
  /** Root field or operation name. */
  operation: z.string().optional(),
  /** Service id. */
  service: z.string().optional(),
  afterSeq: z.int().nonnegative().optional(),
};

export const LOG_COMMANDS = {
  requests: command(z.strictObject(FILTER), ({ log }, filter) => log.requests(filter)),
  /** Root fields received, by name. */
  counts: command(NOTHING, ({ log }) => log.counts()),
  /** Requests that write variables or stage changes, whatever became of them. */
  writes: command(NOTHING, ({ log }) => log.writes()),
  /** Requests that ask for a deployment or a restart, whatever became of them. */
  deploys: command(NOTHING, ({ log }) => log.deploys()),
  /** The variables of one request as sent. Danger: values. */
  unsafeVariables: command(z.strictObject({ seq: z.int() }), ({ log }, { seq }) => log.unsafeVariables(seq)),
  /** Resolves once that many matching requests were answered or dropped; rejects after `timeoutMs` (10 s). */
  waitFor: command(
    z.strictObject({ ...FILTER, count: z.int().positive().optional(), timeoutMs: z.number().optional() }),
    ({ log }, filter) => log.waitFor(filter),
  ),
  clear: command(NOTHING, ({ log }) => log.clear()),
};
