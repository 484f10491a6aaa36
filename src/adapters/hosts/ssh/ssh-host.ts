/**
 * `Host` over SSH with a shell on the other side, over kept connections: the helper of `hosts/script` where the host can
 * run it, its script otherwise, one round trip a call. What was not started is repeated once on a fresh line.
 */
import type { HelperReply } from "../script/helper-client.ts";
import { ScriptHost } from "../script/script-host.ts";
import type { ExecResult } from "../script/transport.ts";
import type { SshConnection } from "./connection.ts";
import type { SshConnections } from "./connections.ts";
import { labelOf, type SshDestination } from "./destination.ts";
import { unreachable } from "./errors.ts";

export interface SshHostOptions {
  /** False: the script for everything, as on a host without Perl. */
  readonly helper?: boolean;
  /** How long after a word of the helper a write is sent without a ping, in ms. Default 2,000. */
  readonly aliveMs?: number;
}

export class SshHost extends ScriptHost {
  constructor(connections: SshConnections, destination: SshDestination, options: SshHostOptions = {}) {
    const line = { connections, destination };
    super({
      label: labelOf(destination),
      exec: (command, execOptions) =>
        started<ExecResult>(line, execOptions.signal, (connection) => connection.exec(command, execOptions)),
      ...(options.helper === false
        ? {}
        : {
            ask: (fields, data, signal) =>
              started<HelperReply>(line, signal, async (connection) => {
                const helper = await unlessAborted(connection.helper(), signal).catch(
                  () => "unreachable" as const,
                );
                if (helper === "unreachable") return { end: "not-started" };
                return helper === null
                  ? { end: "none" }
                  : await helper.ask(fields, data, signal, options.aliveMs);
              }),
          }),
    });
  }
}

interface Line {
  readonly connections: SshConnections;
  readonly destination: SshDestination;
}

/** Rejects when the signal aborts; the promise goes on for the others who wait for it. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** Throws TARGET_UNREACHABLE when nothing was started. */
async function started<T extends { readonly end: string }>(
  { connections, destination }: Line,
  signal: AbortSignal,
  attempt: (connection: SshConnection) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    const { result, fresh } = await connections.use(destination, signal, async (connection, isFresh) => ({
      result: await attempt(connection),
      fresh: isFresh,
    }));
    if (result.end !== "not-started") return result;
    // A kept line may have died unnoticed; a fresh one that refuses will refuse again.
    if (signal.aborted || fresh || tries === 3) {
      throw unreachable(labelOf(destination), "no session was opened");
    }
  }
}
