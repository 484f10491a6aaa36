/** alert list, channels, test, silence. */
import type { Command } from "commander";
import type { Attach } from "../cli.ts";
import { durationOption, examples, limitOption } from "./options.ts";

export function attachAlerts(program: Command, attach: Attach): void {
  const alert = program
    .command("alert")
    .description("what people should know without asking")
    .addHelpText("after", examples("lockstep alert list", "lockstep alert test"));
  attach(
    alert
      .command("list")
      .description("what is wrong now, and what to do about it")
      .option("--all", "those too that are over")
      .addOption(limitOption(50))
      .addHelpText("after", examples("lockstep alert list", "lockstep alert list --all --json")),
    () => import("../commands/alert-list.ts"),
  );
  attach(
    alert
      .command("channels")
      .description("where alerts go, and whether they arrive; exits with 3 when one does not")
      .summary("where alerts go, and whether they arrive")
      .addHelpText("after", examples("lockstep alert channels")),
    () => import("../commands/alert-channels.ts"),
  );
  attach(
    alert
      .command("test")
      .description("send a test message to every channel, or to one, and say what became of it")
      .summary("send a test message to the channels")
      .argument("[channel]", "as lockstep.yaml names it below `alerts`")
      .addHelpText("after", examples("lockstep alert test", "lockstep alert test ops")),
    () => import("../commands/alert-test.ts"),
  );
  attach(
    alert
      .command("silence")
      .description("keep alerts that open from now on from being sent, for a while; they are kept and shown")
      .summary("send nothing for a while")
      .addOption(durationOption("--for <duration>", "how long, a week at most").makeOptionMandatory())
      .requiredOption("--reason <text>", "what is being done meanwhile; it is on record")
      .option("--kind <kind>", "only alerts of this kind, for example unreachable")
      .addHelpText("after", examples("lockstep alert silence --for 2h --reason maintenance")),
    () => import("../commands/alert-silence.ts"),
  );
}
