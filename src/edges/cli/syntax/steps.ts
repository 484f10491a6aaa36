/** step. */
import type { Command } from "commander";
import type { Attach } from "../cli.ts";
import { environmentOption, examples } from "./options.ts";

export function attachSteps(program: Command, attach: Attach): void {
  const step = program
    .command("step")
    .description("what people must do by hand at places that Lockstep cannot write (manual targets)")
    .summary("what people must do by hand")
    .addHelpText("after", examples("lockstep step list", "lockstep step show partner-console"));
  attach(
    step
      .command("list")
      .description("list the targets where something must be done by hand")
      .addOption(environmentOption())
      .option("--all", "also targets where nothing must be done")
      .addHelpText("after", examples("lockstep step list", "lockstep step list --all --json")),
    () => import("../commands/step-list.ts"),
  );
  attach(
    step
      .command("show <target>")
      .description("what the place must hold, and how to confirm it")
      .addOption(environmentOption())
      .addHelpText("after", examples("lockstep step show partner-console")),
    () => import("../commands/step-show.ts"),
  );
  attach(
    step
      .command("reveal <target> <key>")
      .description("print the value that the place must hold, once; this is recorded")
      .addOption(environmentOption())
      .addHelpText("after", examples("lockstep step reveal partner-console API_KEY")),
    () => import("../commands/step-reveal.ts"),
  );
  attach(
    step
      .command("confirm <target>")
      .description("confirm that the place holds everything and uses it; this is recorded")
      .addOption(environmentOption())
      .option("--yes", "do not ask for confirmation")
      .addHelpText("after", examples("lockstep step confirm partner-console --yes")),
    () => import("../commands/step-confirm.ts"),
  );
}
