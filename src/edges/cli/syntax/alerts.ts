/** alert list, channels, test, silence. */
import type { Command } from "commander";
import type { Attach } from "../cli.ts";
import { durationOption, examples, limitOption } from "./options.ts";

export function attachAlerts(program: Command, attach: Attach): void {
  const alert = program
    .command("alert")
    .description("alerts, and the channels that they go to")
    .addHelpText("after", examples("lockstep alert list", "lockstep alert test"));
  attach(
    alert
      .command("list")
      .description("what is wrong now, and what to do about it")
      .option("--all", "also alerts that are over")
      .addOption(limitOption(50))
      .addHelpText("after", examples("lockstep alert list", "lockstep alert list --all --json")),
    () => import("../commands/alert-list.ts"),
  );
  attach(
    alert
      .command("channels")
      .description("where alerts go, and whether they arrive; exits with 3 when a channel fails")
      .summary("where alerts go, and whether they arrive")
      .addHelpText("after", examples("lockstep alert channels")),
    () => import("../commands/alert-channels.ts"),
  );
  attach(
    alert
      .command("test")
      .description("send a test message to every channel, or to one, and show the result")
      .summary("send a test message to the channels")
      .argument("[channel]", "its name below `alerts` in lockstep.yaml")
      .addHelpText("after", examples("lockstep alert test", "lockstep alert test ops")),
    () => import("../commands/alert-test.ts"),
  );
  attach(
    alert
      .command("silence")
      .description("do not send new alerts for a while; they are still kept and shown")
      .summary("send no alerts for a while")
      .addOption(durationOption("--for <duration>", "how long, a week at most").makeOptionMandatory())
      .requiredOption("--reason <text>", "why; it is recorded")
      .option("--kind <kind>", "only alerts of this kind, for example unreachable")
      .addHelpText("after", examples("lockstep alert silence --for 2h --reason maintenance")),
    () => import("../commands/alert-silence.ts"),
  );
}
