/** demo. */
import type { Command } from "commander";
import type { Attach } from "../cli.ts";
import { examples } from "./options.ts";

export function attachDemo(program: Command, attach: Attach): void {
  attach(
    program
      .command("demo")
      .summary("see how it works in one minute, on this machine")
      .summary("see how it works in one minute, on this machine")
      .description(
        "see how it works in one minute, on this machine: an outage, its cause, the repair, a rotation",
      )
      .option("--fast", "no pauses for reading; the default without a terminal")
      .option("--keep", "leave everything running until Ctrl-C, and say what to try")
      .option("--stand-in", "use the built-in SSH server, even if the machine has OpenSSH's")
      .addHelpText(
        "after",
        `\nIt needs nothing but Node. Everything happens in a temporary directory on free loopback ports, with a store\nof its own; your own Lockstep, services and settings are not touched, and nothing is left behind.\n${examples("lockstep demo", "lockstep demo --keep", "lockstep demo --fast --json")}`,
      ),
    () => import("../commands/demo.ts"),
  );
}
