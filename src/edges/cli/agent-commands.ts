/**
 * The commands of the agent's program in one file: what a managed machine needs, and nothing that speaks with the API.
 * Their words are those of the whole of Lockstep, so that every page and every hint is right on such a machine too.
 */
import { LockstepError } from "../../core/errors.ts";
import type { CommandSet } from "./command-set.ts";
import { attachOnHost, attachRun } from "./syntax/agents.ts";
import { buildRoot } from "./syntax/root.ts";

export const AGENT_COMMANDS: CommandSet = {
  build: (attach) =>
    buildRoot(
      {
        description:
          "Lockstep's agent: fetches what this machine must hold, writes it, and restarts what uses it.",
        examples: ["lockstep agent setup", "lockstep agent status", "lockstep run -- node server.js"],
        attachAll: (program, attachOne) => {
          attachOnHost(
            program.command("agent").summary("this machine's agent").description("this machine's agent"),
            attachOne,
          );
          attachRun(program, attachOne);
        },
      },
      attach,
    ),
  connect: () => Promise.reject(elsewhere()),
  orientation: async () => async (cli) => {
    cli.output.note("This is Lockstep's agent alone. See `lockstep agent --help`.");
    return 64;
  },
};

function elsewhere(): LockstepError {
  return new LockstepError("UNSUPPORTED", "Cannot do that here: this is Lockstep's agent alone.", {
    hint: "Use the whole of Lockstep, where its server is.",
  });
}
