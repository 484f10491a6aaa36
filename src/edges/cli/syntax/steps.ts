/** step. */
import type { Command } from "commander";
import type { Attach } from "../cli.ts";
import { environmentOption, examples } from "./options.ts";

export function attachSteps(program: Command, attach: Attach): void {
  const step = program
    .command("step")
    .description("what people must do at places in other hands (manual targets)")
    .summary("what people must do by hand")
    .addHelpText("after", examples("lockstep step list", "lockstep step show partner-console"));
  attach(
    step
      .command("list")
      .description("where something is to be done")
      .addOption(environmentOption())
      .option("--all", "those too where nothing is")
      .addHelpText("after", examples("lockstep step list", "lockstep step list --all --json")),
    () => import("../commands/step-list.ts"),
  );
  attach(
    step
      .command("show <target>")
      .description("what must stand there, and how to say that it does")
      .addOption(environmentOption())
      .addHelpText("after", examples("lockstep step show partner-console")),
    () => import("../commands/step-show.ts"),
  );
  attach(
    step
      .command("reveal <target> <key>")
      .description("the value that must stand there, once; on record")
      .addOption(environmentOption())
      .addHelpText("after", examples("lockstep step reveal partner-console API_KEY")),
    () => import("../commands/step-reveal.ts"),
  );
  attach(
    step
      .command("confirm <target>")
      .description("say that everything stands there and is used; on record")
      .addOption(environmentOption())
      .option("--yes", "do not ask")
      .addHelpText("after", examples("lockstep step confirm partner-console --yes")),
    () => import("../commands/step-confirm.ts"),
  );
}
