/**
 * `Host` over SSH with a shell on the other side: the script of `hosts/script`, one round trip a call over a kept
 * connection. What was not started is repeated once on a fresh line.
 */
import { type ExecOptions, type ExecResult, ScriptHost } from "../script/script-host.ts";
import type { SshConnections } from "./connections.ts";
import { labelOf, type SshDestination } from "./destination.ts";
import { unreachable } from "./errors.ts";

export class SshHost extends ScriptHost {
  constructor(connections: SshConnections, destination: SshDestination) {
    const label = labelOf(destination);
    super({
      label,
      exec: (command, options) => execute(connections, destination, label, command, options),
    });
  }
}

async function execute(
  connections: SshConnections,
  destination: SshDestination,
  label: string,
  command: string,
  options: ExecOptions,
): Promise<ExecResult> {
  for (let tries = 1; ; tries += 1) {
    const { result, fresh } = await connections.use(
      destination,
      options.signal,
      async (connection, isFresh) => ({ result: await connection.exec(command, options), fresh: isFresh }),
    );
    if (result.end !== "not-started") return result;
    // A kept line may have died unnoticed; a fresh one that refuses will refuse again.
    if (options.signal.aborted || fresh || tries === 3) throw unreachable(label, "no session was opened");
  }
}
