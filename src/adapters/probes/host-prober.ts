/**
 * Asks from the target's host: over HTTP what listens there, or by a program there, which gets the value over stdin and
 * answers with its exit code.
 */
import { LockstepError } from "../../core/errors.ts";
import type { Host } from "../../core/ports/host.ts";
import type { ProbeAnswer, Prober } from "../../core/ports/prober.ts";
import type { SecretValue } from "../../core/secret-value.ts";
import type { CommandProbe } from "../../protocol/probe.ts";
import type { Connect } from "../outgoing/dial.ts";
import { whyNoText } from "./fill.ts";
import { cannotTell, createHttpProber } from "./http-prober.ts";
import { askOpenClaw, reloadOpenClaw } from "./openclaw-prober.ts";
import { parseProbe } from "./spec.ts";

export interface HostProberOptions {
  /** Null: the account may run no commands. */
  readonly host: Pick<Host, "run"> | null;
  /** Connections that begin there. */
  readonly connect: Connect;
}

/** Of a target's host: runs commands there, and asks what listens there. */
export function createHostProber({ host, connect }: HostProberOptions): Prober {
  const askHttp = createHttpProber({ connect });
  return {
    async probe(raw, value, signal) {
      const { command, http, openclaw } = parseProbe(raw);
      if (openclaw !== undefined) return await askOpenClaw(connect, openclaw, value, signal);
      if (http !== undefined)
        return http.from === "target"
          ? await askHttp(http, value, signal)
          : cannotTell("only the server can ask this");
      if (command === undefined || host === null) return cannotTell("no command can be run on this host");
      return await askCommand(host, command, value, signal);
    },
    async reload(raw, accepted, signal) {
      const { openclaw } = parseProbe(raw);
      if (openclaw?.reload === true) await reloadOpenClaw(connect, openclaw, accepted, signal);
    },
  };
}

/** What it prints is nobody's business, and could be the value. */
const MAX_OUTPUT_BYTES = 1_024;

/** Never throws. */
async function askCommand(
  host: Pick<Host, "run">,
  spec: CommandProbe,
  value: SecretValue,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const cannot = whyNoText(value.reveal());
  if (cannot !== null) return cannotTell(cannot);
  try {
    const { exitCode } = await host.run(
      spec.run,
      {
        stdin: Buffer.from(value.reveal()),
        timeoutMs: spec.timeoutSeconds * 1_000,
        maxOutputBytes: MAX_OUTPUT_BYTES,
      },
      signal,
    );
    if (exitCode === null) return cannotTell("the command was ended by a signal");
    const reason = `the command ended with ${exitCode}`;
    if (spec.accepted.includes(exitCode)) return { verdict: "accepted", reason };
    return { verdict: spec.refused.includes(exitCode) ? "refused" : "cannot-tell", reason };
  } catch (error) {
    if (signal.aborted) return cannotTell("given up");
    return cannotTell(
      error instanceof LockstepError && error.code === "TARGET_OUTCOME_UNKNOWN"
        ? `the command did not end within ${spec.timeoutSeconds} s, or its line was lost`
        : error instanceof LockstepError
          ? `the command could not be run (${error.code})`
          : "the command could not be run",
    );
  }
}
