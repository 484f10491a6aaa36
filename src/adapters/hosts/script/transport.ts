/** What carries the script to its host: over SSH, or to a shell of this machine. */
import type { HelperFields, HelperReply } from "./helper-client.ts";

export interface ExecOptions {
  readonly input: Uint8Array;
  /** More is dropped and counted in `truncated`. */
  readonly maxOutputBytes: number;
  readonly signal: AbortSignal;
  /** Sends SIGKILL when the signal aborts. Without it the line is only closed, and the program may go on. */
  readonly killOnAbort: boolean;
}

export interface ExecResult {
  /**
   * "exited": its end was seen. "lost": the line died. "aborted": the signal did it.
   * "not-started": nothing was sent to it, so nothing can have happened.
   */
  readonly end: "exited" | "lost" | "aborted" | "not-started";
  /** Null when a signal ended it, or its end was not seen. */
  readonly exitCode: number | null;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly truncated: boolean;
}

export interface ScriptTransport {
  /** For messages, for example `deploy@host:22`. */
  readonly label: string;
  /** Runs a shell's command line. Throws TARGET_UNREACHABLE when nothing was started. */
  exec(command: string, options: ExecOptions): Promise<ExecResult>;
  /** Asks the kept helper; absent where there is none. Throws TARGET_UNREACHABLE when nothing was started. */
  ask?(fields: HelperFields, data: Uint8Array, signal: AbortSignal): Promise<HelperReply>;
}
