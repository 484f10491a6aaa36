/** What one run of the agent has: its identity, its files, the host below it, and how long it waits for what. */
import type { LockstepError } from "../../core/errors.ts";
import type { Host } from "../../core/ports/host.ts";
import type { AgentFacts } from "../../protocol/agent/messages.ts";
import { KEEPALIVE_MS, POLL_MS } from "../../protocol/agent/paths.ts";
import type { JudgeBundle } from "./apply/allowed.ts";
import type { ChildUnit } from "./apply/child-unit.ts";
import type { RecordKeeper } from "./cache/record.ts";
import type { AgentClient } from "./client/client.ts";
import type { AgentFiles } from "./identity/agent-files.ts";
import type { Identity } from "./identity/identity.ts";

/** In ms. */
export interface AgentTiming {
  readonly pollMs: number;
  /** Part of `pollMs` that is drawn by lot. */
  readonly pollJitter: number;
  readonly silenceMs: number;
  /** How long a start waits for the server before it uses the cache. The process's own start comes on top of it. */
  readonly coldStartMs: number;
  readonly requestMs: number;
  readonly reconnectMs: readonly [number, number];
  /** Without any news a report goes out that often. */
  readonly reportEveryMs: number;
  /** The answer "revoked" is not signed, so it is asked for again, seldom. */
  readonly askAgainAfterRevokedMs: number;
  readonly followMs: number;
  readonly notStartedAfterMs: number;
  readonly retryFailedActivationMs: number;
  readonly retryWriteMs: number;
  /** How often it is looked whether the machine slept, or its clock was set. */
  readonly clockLookMs: number;
  /** How long an upgrade waits for the new program's report before it puts the old one back. */
  readonly reportWithinMs: number;
}

export const AGENT_TIMING: AgentTiming = {
  pollMs: POLL_MS,
  pollJitter: 0.25,
  silenceMs: 3 * KEEPALIVE_MS,
  // Within a second of the process's start a service runs: getting this far and starting it takes about 300 ms.
  coldStartMs: 600,
  requestMs: 15_000,
  reconnectMs: [1_000, 60_000],
  reportEveryMs: 300_000,
  askAgainAfterRevokedMs: 3_600_000,
  followMs: 500,
  notStartedAfterMs: 5_000,
  retryFailedActivationMs: 30_000,
  retryWriteMs: 500,
  clockLookMs: 5_000,
  // A program that starts asks at once, and reports once it has looked at what stands there.
  reportWithinMs: 60_000,
};

/** Where a test ends the process, to show that nothing is lost there. */
export type AgentCheckpoint =
  | "received"
  | "cached"
  | "planned"
  | "written"
  | "read-back"
  | "activation-intent"
  | "activated"
  | "reported";

/** In words, to standard error. Never a value. */
export interface AgentLog {
  say(text: string): void;
  failed(what: string, error: LockstepError): void;
}

export interface AgentContext {
  readonly identity: Identity;
  readonly files: AgentFiles;
  readonly records: RecordKeeper;
  readonly client: AgentClient;
  readonly host: Host;
  readonly judge: JudgeBundle;
  /** Null: nothing is started by the agent itself. */
  readonly child: ChildUnit | null;
  readonly facts: AgentFacts;
  /** Changes with each start of the machine. */
  readonly bootId: string;
  readonly log: AgentLog;
  readonly timing: AgentTiming;
  readonly nowMs: () => number;
  /** Nobody sets it back; it stands still while the machine sleeps. */
  readonly monotonicMs: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  /** Told each value before it is used, so that no sink shows it. */
  readonly know: (value: string) => void;
  /** Files beside which nothing is left of earlier writes, as far as this life of the agent has seen. */
  readonly tidied: Set<string>;
  readonly checkpoint: (point: AgentCheckpoint) => Promise<void>;
}
