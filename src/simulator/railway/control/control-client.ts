/** The commands of a simulator in another process, as typed methods. */
import type { RemoteHandle } from "../commands/command.ts";
import { COMMANDS } from "../commands/commands.ts";

export interface RemoteSimulator {
  readonly state: RemoteHandle<(typeof COMMANDS)["state"]>;
  readonly faults: RemoteHandle<(typeof COMMANDS)["faults"]>;
  readonly log: RemoteHandle<(typeof COMMANDS)["log"]>;
}

/** `controlUrl` is what the simulator's process printed. Commands that fail reject with their reason. */
export function connectToSimulator(controlUrl: string): RemoteSimulator {
  const handle = (name: keyof typeof COMMANDS) =>
    Object.fromEntries(
      Object.keys(COMMANDS[name]).map((command) => [
        command,
        (input: unknown = {}) => call(`${controlUrl}/${name}/${command}`, input),
      ]),
    );
  // The keys are those of the command table, and the answers what those commands give, as JSON.
  return {
    state: handle("state"),
    faults: handle("faults"),
    log: handle("log"),
  } as unknown as RemoteSimulator;
}

async function call(url: string, input: unknown): Promise<unknown> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(input),
  });
  const body = (await response.json()) as { readonly result?: unknown; readonly error?: string };
  if (body.error !== undefined) throw new Error(body.error);
  return body.result;
}
