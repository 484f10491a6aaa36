/** `lockstep agent upgrade`, on the machine: the program that the server offers, once the new one has reported. */
import type { CommandFunction } from "../cli.ts";
import type { OnHostOptions } from "./agent-on-host.ts";

export interface AgentUpgradeOptions extends OnHostOptions {
  readonly allowOlder?: true;
}

export const run: CommandFunction<[], AgentUpgradeOptions> = async (cli, _parameters, options) => {
  const { output } = cli;
  const agent = await cli.agent(options);
  const done = await agent.upgrade(
    { allowOlder: options.allowOlder === true, say: (line) => output.note(line) },
    cli.interrupted,
  );
  output.answer(done, () => {
    const { state, from, to, restarted } = done;
    if (state === "current") output.line(`Nothing to do: the server offers what stands here, ${to}.`);
    else if (restarted) output.line(`Upgraded from ${from} to ${to}; the new program has reported.`);
    else {
      output.line(`Replaced ${from} by ${to}.`);
      output.note(
        "note: no service of ours starts it: start it anew by what supervises it, and look with `lockstep agent status`.",
      );
    }
  });
  return 0;
};
