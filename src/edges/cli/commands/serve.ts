/** `lockstep up`, `server` and `worker`: run until told to end, then end in order. A second signal ends at once. */
import type { Cli, CommandFunction, Role } from "../cli.ts";

export interface ServeOptions {
  readonly port?: number;
  readonly agents?: string;
}

async function serve(cli: Cli, role: Role, options: ServeOptions): Promise<number> {
  const settings = cli.settings(options);
  const started = await cli.start(role, settings);
  try {
    const { url, dataDirectory, adminTokenFile, agentUrl } = started;
    cli.output.answer({ role, url, dataDirectory, adminTokenFile, agentUrl }, () => {
      if (url === null) cli.output.line(`The ${role} is running.`);
      else cli.output.line(`Lockstep is running at ${url}`);
      if (adminTokenFile !== null) cli.output.line(`The administrator's token is in ${adminTokenFile}`);
      if (agentUrl !== null) cli.output.line(`Agents reach it at ${agentUrl}`);
      if (role === "up") cli.output.line("In another terminal: lockstep status");
    });
    await untilAborted(cli.interrupted);
    cli.output.note("Stopping; a second signal stops at once.");
  } finally {
    await started.close();
  }
  return 0;
}

export const up: { readonly run: CommandFunction<[], ServeOptions> } = {
  run: (cli, _parameters, options) => serve(cli, "up", options),
};
export const server: { readonly run: CommandFunction<[], ServeOptions> } = {
  run: (cli, _parameters, options) => serve(cli, "server", options),
};
export const worker: { readonly run: CommandFunction<[], ServeOptions> } = {
  run: (cli) => serve(cli, "worker", {}),
};

/** Nothing else needs to keep the process: connections and timers of what was started do. */
function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
