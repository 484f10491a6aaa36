/** rotate, rollout. */
import { type Command, Option } from "commander";
import type { Attach } from "../cli.ts";
import { durationOption, environmentOption, examples, limitOption } from "./options.ts";

export function attachRollouts(program: Command, attach: Attach): void {
  attach(
    program
      .command("rotate <secret>")
      .description("a new value for every bound place, made by the secret's policy")
      .summary("a new value for every place, and the proof")
      .addOption(environmentOption())
      .option(
        "--wait",
        "stay until it has ended; exits with 1 when it does not end well, 4 when it still runs",
      )
      .addOption(durationOption("--timeout <duration>", "wait at most so long"))
      .addOption(
        new Option("--strategy <name>", "how it moves; the secret's own unless told").choices([
          "overlap",
          "swap",
          "issued",
          "replace",
        ]),
      )
      .option(
        "--urgent",
        "wait for nobody's silence; hurries the rollout under way when two versions are in use",
      )
      .option("--dry-run", "only say in which order, how often places restart, and how long it takes")
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
    .description("the moves from one version to another")
    .addHelpText("after", examples("lockstep rollout list --open"));
  attach(
    rollout
      .command("list")
      .description("rollouts, newest first")
      .addOption(environmentOption())
      .option("--secret <secret>", "only of this secret")
      .option("--open", "only those under way")
      .addOption(limitOption(20))
      .addHelpText("after", examples("lockstep rollout list --open")),
    () => import("../commands/rollout-list.ts"),
  );
  attach(
    rollout
      .command("show <rollout>")
      .description(
        "how far it is, what each side holds, and what it waits for; by its id or the secret's name",
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
      .description("what held it up is repaired: try the same again at once")
      .addHelpText("after", examples("lockstep rollout resume 01980a6e-7a53-7c1e-9d3f-2b8f0c6f4a11")),
    () => import("../commands/rollout-resume.ts"),
  );
  attach(
    rollout
      .command("rollback <rollout>")
      .description("back to the version before, in order")
      .option(
        "--wait",
        "stay until it has ended; exits with 1 when it does not end well, 4 when it still runs",
      )
      .addOption(durationOption("--timeout <duration>", "wait at most so long"))
      .addHelpText(
        "after",
        examples("lockstep rollout rollback 01980a6e-7a53-7c1e-9d3f-2b8f0c6f4a11 --wait"),
      ),
    () => import("../commands/rollout-rollback.ts"),
  );
  attach(
    rollout
      .command("force <rollout>")
      .description("go on without one place, which may then refuse or be refused; on record")
      .requiredOption("--target <target>", "the place that is not waited for any more")
      .option("--key <key>", "which of its keys, where the secret stands there under several")
      .requiredOption("--reason <text>", "why; it is kept in the record")
      .addHelpText(
        "after",
        examples(
          "lockstep rollout force 01980a6e-7a53-7c1e-9d3f-2b8f0c6f4a11 --target vps-1 --reason decommissioned",
        ),
      ),
    () => import("../commands/rollout-force.ts"),
  );
}
