/**
 * What the agent remembers over restarts, in addition to the sealed bundle: how far it came, what it has not told yet, what its
 * unit owes. Names, numbers and times; never a value. Each change is on disk before the step that relies on it.
 */
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { newerValue, reportedAnswer } from "../../../protocol/agent/asks.ts";
import { toldCopies } from "../../../protocol/agent/copies.ts";
import type { ReportedItem } from "../../../protocol/agent/messages.ts";
import type { AgentFiles } from "../identity/agent-files.ts";

const RECORD_FILE = "record.json";
const MAX_INCIDENTS = 20;

const order = z.strictObject({
  storeId: z.uuid(),
  epoch: z.int(),
  generation: z.int(),
  digest: z.string().nullable().default(null),
});
const failure = z.strictObject({ code: z.string(), message: z.string() }).nullable();
const items = z.array(z.custom<ReportedItem>((item) => typeof item === "object" && item !== null));

const unitSchema = z.strictObject({
  key: z.string(),
  /**
   * owed: to be restarted. asking: the request may have been sent. requested: it was. The others are ends.
   * (`retry` waits for its second and last automatic attempt.)
   */
  state: z.enum(["owed", "asking", "requested", "retry", "succeeded", "blocked", "dormant"]),
  digest: z.string(),
  /** The push that owed it: a new one of the same digest is a person's word to try again. */
  pushId: z.uuid().nullable(),
  knownIds: z.array(z.string()),
  id: z.string().nullable(),
  attempts: z.int(),
  /** Since when, and when something more was added: the quiet time counts from here. */
  owedAt: z.iso.datetime(),
  changedAt: z.iso.datetime(),
  askedAt: z.iso.datetime().nullable(),
  incarnation: z.record(z.string(), z.union([z.string(), z.number()])).nullable(),
  error: failure,
});
export type UnitRecord = z.output<typeof unitSchema>;

const recordSchema = z.strictObject({
  v: z.literal(1),
  agentId: z.uuid(),
  /** The highest order of a bundle that was accepted. */
  accepted: order.nullable(),
  /** The signed entries of the epochs that began since the enrolment, as they were taken. */
  epochs: z.array(z.string()).default([]),
  /** The push under way, or ended and not yet taken by the server. */
  push: z
    .strictObject({
      pushId: z.uuid(),
      before: items,
      ended: z.strictObject({ outcome: z.enum(["applied", "failed"]), error: failure }).nullable(),
    })
    .nullable(),
  /** The last push that the server has taken: it is not begun again from the cache. */
  closedPushId: z.uuid().nullable(),
  unit: unitSchema.nullable(),
  /** What the server knows that we hold. */
  reported: z.strictObject({ epoch: z.int(), generation: z.int(), digest: z.string() }).nullable(),
  seen: items,
  refused: z.array(z.strictObject({ what: z.string(), reason: z.string(), add: z.string() })),
  incidents: z.array(z.strictObject({ at: z.iso.datetime(), code: z.string(), message: z.string() })),
  lastContactAt: z.iso.datetime().nullable(),
  lastFailure: z.strictObject({ at: z.iso.datetime(), code: z.string(), message: z.string() }).nullable(),
  revokedAt: z.iso.datetime().nullable(),
  appliedBootId: z.string().nullable(),
  /** The asked look that `seen` answers. */
  lookedBy: z.string().nullable().default(null),
  /** What services said by it. */
  answers: z.array(reportedAnswer).default([]),
  /** Values that were changed at the service itself, sealed to the server. */
  newer: z.array(newerValue).default([]),
  /** Where else on this machine what is kept here stands. */
  copies: toldCopies.default({ copies: [], unread: [] }),
});
export type AgentRecord = z.output<typeof recordSchema>;

export function emptyRecord(agentId: string): AgentRecord {
  return {
    v: 1,
    agentId,
    accepted: null,
    epochs: [],
    push: null,
    closedPushId: null,
    unit: null,
    reported: null,
    seen: [],
    refused: [],
    incidents: [],
    lastContactAt: null,
    lastFailure: null,
    revokedAt: null,
    appliedBootId: null,
    lookedBy: null,
    answers: [],
    newer: [],
    copies: { copies: [], unread: [] },
  };
}

/** Null: there is none, or it cannot be understood. */
export async function readRecord(files: AgentFiles): Promise<AgentRecord | null> {
  const text = await files.read(RECORD_FILE);
  try {
    return text === null ? null : recordSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** The record in use. */
export class RecordKeeper {
  readonly #files: AgentFiles;
  #record: AgentRecord;
  #written: Promise<void> = Promise.resolve();

  private constructor(files: AgentFiles, record: AgentRecord) {
    this.#files = files;
    this.#record = record;
  }

  /**
   * A damaged record is begun anew: what stands at places is looked at in any case. Of another identity only the order
   * stays, so that a new enrolment at the same store does not let an older bundle in.
   */
  static async open(files: AgentFiles, agentId: string): Promise<RecordKeeper> {
    const found = await readRecord(files);
    if (found?.agentId === agentId) return new RecordKeeper(files, found);
    const fresh = { ...emptyRecord(agentId), accepted: found?.accepted ?? null };
    return new RecordKeeper(files, fresh);
  }

  get now(): AgentRecord {
    return this.#record;
  }

  /** Counts at once, and is on disk when the promise is kept: requests and work on the host change it side by side. */
  async update(change: Partial<AgentRecord>): Promise<void> {
    const next = { ...this.#record, ...change };
    if (isDeepStrictEqual(next, this.#record)) return this.#written;
    this.#record = next;
    const text = JSON.stringify(next);
    this.#written = this.#written.catch(() => undefined).then(() => this.#files.write(RECORD_FILE, text));
    await this.#written;
  }

  async addIncident(at: string, code: string, message: string): Promise<void> {
    const last = this.#record.incidents.at(-1);
    // What happens again and again is told once per report.
    if (last?.code === code && last.message === message) return;
    await this.update({
      incidents: [...this.#record.incidents, { at, code, message }].slice(-MAX_INCIDENTS),
    });
  }
}
