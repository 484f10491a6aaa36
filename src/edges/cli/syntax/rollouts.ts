/** rotate, rollout. */
import { type Command, Option } from "commander";
import type { Attach } from "../cli.ts";
import { durationOption, environmentOption, examples, limitOption } from "./options.ts";

export function attachRollouts(program: Command, attach: Attach): void {
  attach(
    program
      .command("rotate <secret>")
      .description("make a new value by the secret's policy, and bring it to every bound place")
      .summary("bring a new value to every place, with proof")
      .addOption(environmentOption())
      .option("--wait", "wait until it has ended; exits with 1 when it fails, 4 when it still runs")
      .addOption(durationOption("--timeout <duration>", "wait at most this long"))
      .addOption(
        new Option(
          "--strategy <name>",
          "how the places move to the new value; default: the secret's own strategy",
        ).choices(["overlap", "swap", "issued", "replace"]),
      )
      .option(
        "--urgent",
        "do not wait until the old value is unused; also speeds up a rollout that is running",
      )
      .option("--dry-run", "only show the order, how often places restart, and how long it takes")
      .addHelpText(
        "after",
        examples(
          "lockstep rotate API_KEY --wait",
          "lockstep rotate API_KEY --dry-run",
          "lockstep rotate API_KEY --urgent --wait",
        ),
      ),
    () => import("../commands/rotate.ts"),
  );
  const rollout = program
    .command("rollout")
    .description("the rollouts: moves from one version to another")
    .addHelpText("after", examples("lockstep rollout list --open"));
  attach(
    rollout
      .command("list")
      .description("rollouts, newest first")
      .addOption(environmentOption())
      .option("--secret <secret>", "only of this secret")
      .option("--open", "only running ones")
      .addOption(limitOption(20))
      .addHelpText("after", examples("lockstep rollout list --open")),
    () => import("../commands/rollout-list.ts"),
  );
  attach(
    rollout
      .command("show <rollout>")
      .description(
        "its progress, what each side holds, and what it waits for; by its id or the secret's name",
      )
      .addHelpText(
        "after",
        examples(
          "lockstep rollout show INTERNAL_AUTH_SECRET",
          "lockstep rollout show 01980a6e-7a53-7c1e-9d3f-2b8f0c6f4a11",
        ),
      ),
    () => import("../commands/rollout-show.ts"),
  );
  attach(
    rollout
      .command("resume <rollout>")
      .description("after a repair: try the same step again now")
      .addHelpText("after", examples("lockstep rollout resume 01980a6e-7a53-7c1e-9d3f-2b8f0c6f4a11")),
    () => import("../commands/rollout-resume.ts"),
  );
  attach(
    rollout
      .command("rollback <rollout>")
      .description("go back to the previous version, in order")
      .option("--wait", "wait until it has ended; exits with 1 when it fails, 4 when it still runs")
      .addOption(durationOption("--timeout <duration>", "wait at most this long"))
      .addHelpText(
        "after",
        examples("lockstep rollout rollback 01980a6e-7a53-7c1e-9d3f-2b8f0c6f4a11 --wait"),
      ),
    () => import("../commands/rollout-rollback.ts"),
  );
  attach(
    rollout
      .command("force <rollout>")
      .description("go on without one place, which may then refuse calls or be refused; this is recorded")
      .requiredOption("--target <target>", "the target to go on without")
      .option("--key <key>", "which of its keys, if the secret is stored there under several")
      .requiredOption("--reason <text>", "why; it is recorded")
      .addHelpText(
        "after",
        examples(
          "lockstep rollout force 01980a6e-7a53-7c1e-9d3f-2b8f0c6f4a11 --target vps-1 --reason decommissioned",
        ),
      ),
    () => import("../commands/rollout-force.ts"),
  );
}
