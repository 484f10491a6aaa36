/**
 * Connections that begin on the target's host: through its SSH server, so that what listens there on loopback alone can be
 * asked. The kept line is held as long as such a connection lives.
 */
import { LockstepError } from "../../../core/errors.ts";
import { bareHost } from "../../../lib/addresses.ts";
import type { SshConnections } from "../../hosts/ssh/connections.ts";
import type { SshDestination } from "../../hosts/ssh/destination.ts";
import type { Connect } from "../../outgoing/dial.ts";
import { NoAnswer } from "../../outgoing/reasons.ts";

export function dialFromHost(connections: SshConnections, destination: SshDestination): Connect {
  return (host, port, signal) =>
    new Promise((resolve, reject) => {
      connections
        .use(destination, signal, async (connection) => {
          const line = await connection.forward(bareHost(host), port, signal);
          const ended = new Promise<void>((done) => {
            line.once("close", done);
            connection.onClose(done);
          });
          resolve(line);
          await ended;
        })
        .catch((error: unknown) => reject(new NoAnswer(reasonOf(error))));
    });
}

function reasonOf(error: unknown): string {
  const forwarding = error instanceof LockstepError ? error.details["forwarding"] : undefined;
  if (forwarding === "prohibited")
    return "the host's SSH server forwards no connections (AllowTcpForwarding); a `command` can ask there";
  return forwarding === "unconnected"
    ? "no connection: nothing listens there on the host"
    : "the host cannot be reached";
}
