/** history, audit. */
import type { Command } from "commander";
import type { Attach } from "../cli.ts";
import { afterOption, environmentOption, examples, limitOption } from "./options.ts";

export function attachRecord(program: Command, attach: Attach): void {
  attach(
    program
      .command("history")
      .description("the pushes: what, where, by whom, with which result")
      .summary("the pushes: what, where, by whom, with which result")
      .addOption(environmentOption())
      .option("--target <target>", "only to this target")
      .option("--secret <secret>", "only of this secret")
      .addOption(limitOption(20))
      .addOption(afterOption())
      .addHelpText("after", examples("lockstep history", "lockstep history --target api --limit 5 --json")),
    () => import("../commands/history.ts"),
  );
  const audit = program
    .command("audit")
    .description("who did what, when")
    .addHelpText("after", examples("lockstep audit list"));
  attach(
    audit
      .command("list")
      .description("audit entries, newest first")
      .option("--subject <name>", "only entries about this secret, target or token")
      .option("--before <instant>", "only entries older than this, for example 2030-01-31T12:00:00Z")
      .addOption(limitOption(50))
      .addOption(afterOption())
      .addHelpText("after", examples("lockstep audit list --subject INTERNAL_AUTH_SECRET")),
    () => import("../commands/audit-list.ts"),
  );
}
