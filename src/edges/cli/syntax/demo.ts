/** demo. */
import type { Command } from "commander";
import type { Attach } from "../cli.ts";
import { examples } from "./options.ts";

export function attachDemo(program: Command, attach: Attach): void {
  attach(
    program
      .command("demo")
      .summary("the whole story in a minute, on this machine")
      .summary("the whole story in a minute, on this machine")
      .description(
        "the whole story in a minute, on this machine: an outage, its cause, the repair, a rotation",
      )
      .option("--fast", "no pauses for reading; the default where nobody reads along")
      .option("--keep", "leave everything running until Ctrl-C, and tell how to play with it")
      .option("--stand-in", "use the stand-in SSH server, even where there is a real one")
      .addHelpText(
        "after",
        `\nIt needs nothing but Node. Everything happens in a temporary directory on free loopback ports, with a store\nof its own; your own Lockstep, services and settings are not touched, and nothing is left behind.\n${examples("lockstep demo", "lockstep demo --keep", "lockstep demo --fast --json")}`,
      ),
    () => import("../commands/demo.ts"),
  );
}
