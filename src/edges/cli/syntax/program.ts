/** The whole tree of commands, words only: for running one, for completions, and for tests over all of them. */
import type { Command } from "commander";
import type { Attach } from "../cli.ts";
import { attachEverything } from "./everything.ts";
import { buildRoot } from "./root.ts";

export function buildProgram(attach: Attach): Command {
  return buildRoot(
    {
      description:
        "Keeps the secrets that services use to trust each other the same everywhere, and proves it.",
      examples: ["lockstep init", "lockstep plan", "lockstep rotate INTERNAL_AUTH_SECRET --wait"],
      attachAll: attachEverything,
    },
    attach,
  );
}
