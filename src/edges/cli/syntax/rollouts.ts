/** rotate, rollout. */
import type { Command } from "commander";
import type { Attach } from "../cli.ts";
import { environmentOption, examples, limitOption } from "./options.ts";

export function attachRollouts(program: Command, attach: Attach): void {
  const rollout = program.command("rollout").description("the moves from one version to another");
  attach(
    rollout
      .command("list")
      .description("rollouts, newest first")
      .addOption(environmentOption())
      .option("--secret <name>", "only of this secret")
      .option("--open", "only those under way")
      .addOption(limitOption(20))
      .addHelpText("after", examples("lockstep rollout list --open")),
    () => import("../commands/rollout-list.ts"),
  );
  attach(
    rollout.command("show <rollout>").description("one rollout with its bindings, and what it waits for"),
    () => import("../commands/rollout-show.ts"),
  );
  attach(
    rollout
      .command("resume <rollout>")
      .description("what held it up is repaired: try the same again at once"),
    () => import("../commands/rollout-resume.ts"),
  );
}
