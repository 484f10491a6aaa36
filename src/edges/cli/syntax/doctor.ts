/** doctor, discover, heal. */
import type { Command } from "commander";
import type { Attach } from "../cli.ts";
import { durationOption, environmentOption, examples } from "./options.ts";

export function attachDoctor(program: Command, attach: Attach): void {
  attach(
    program
      .command("doctor")
      .summary("what is wrong, why, and the command that repairs it")
      .description(
        "what is wrong, why, who is refused because of it, and the command that repairs it; exits with 3 when something is wrong, with 4 when it cannot tell",
      )
      .addOption(environmentOption())
      .option("--no-live", "ask no place; only what is recorded")
      .addOption(
        durationOption("--timeout <duration>", "wait for one place at most so long (1.5 s unless told)"),
      )
      .addHelpText(
        "after",
        examples(
          "lockstep doctor",
          "lockstep doctor --timeout 10s --json",
          "lockstep doctor || page-somebody",
        ),
      ),
    () => import("../commands/doctor.ts"),
  );
  attach(
    program
      .command("discover")
      .summary("forgotten places that hold a value of ours")
      .description(
        "look around within what the stored credentials reach, for places that hold a value of ours, or bear its name, and are not managed; exits with 3 when there are some",
      )
      .addOption(environmentOption())
      .addHelpText("after", examples("lockstep discover", "lockstep discover -e production --json")),
    () => import("../commands/discover.ts"),
  );
  attach(
    program
      .command("heal")
      .summary("write again what was changed by hand")
      .description(
        "write again what should stand there, over what was changed by hand; without a name whatever is known to differ",
      )
      .addOption(environmentOption())
      .option("--target <name>", "only at this target")
      .option("--secret <name>", "only where this secret is bound")
      .option("--no-wait", "do not stay until it is in use")
      .addOption(durationOption("--timeout <duration>", "wait at most so long (5 min unless told)"))
      .addHelpText("after", examples("lockstep heal --target api --secret API_KEY", "lockstep heal")),
    () => import("../commands/heal.ts"),
  );
}
