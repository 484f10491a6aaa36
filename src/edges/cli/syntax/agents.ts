/** agent: invite, list, revoke. */
import type { Command } from "commander";
import type { Attach } from "../cli.ts";
import { durationOption, environmentOption, examples } from "./options.ts";

export function attachAgents(program: Command, attach: Attach): void {
  const agent = program
    .command("agent")
    .summary("machines that nobody can dial: invite, list, revoke")
    .description("Lockstep's program on machines that nobody can dial: it fetches what they must hold")
    .addHelpText("after", examples("lockstep agent invite mac-mini", "lockstep agent list"));
  attach(
    agent
      .command("invite <target>")
      .description("a code by which one machine becomes this target's agent; valid once, for 15 minutes")
      .addOption(environmentOption())
      .option("--reusable", "for containers: serves many short-lived identities until it expires")
      .addOption(durationOption("--expires <duration>", "with --reusable: how long, for example 12h or 30d"))
      .addHelpText(
        "after",
        examples(
          "lockstep agent invite mac-mini",
          "lockstep agent invite web --reusable --expires 30d --json",
        ),
      ),
    () => import("../commands/agent-invite.ts"),
  );
  attach(
    agent
      .command("list")
      .description("the agents: state, machine, last seen, how far they are, what they refused")
      .addOption(environmentOption())
      .addHelpText("after", examples("lockstep agent list", "lockstep agent list --json")),
    () => import("../commands/agent-list.ts"),
  );
  attach(
    agent
      .command("revoke <target>")
      .description("end the target's agents at once, and show what they ever received")
      .addOption(environmentOption())
      .option("--agent <id>", "only this one of them")
      .addHelpText("after", examples("lockstep agent revoke mac-mini")),
    () => import("../commands/agent-revoke.ts"),
  );
}
