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
      .option("--no-live", "ask no place; use only what is recorded")
      .addOption(
        durationOption("--timeout <duration>", "wait at most this long for one place (default: 1.5 s)"),
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
      .summary("forgotten places that hold one of your secrets")
      .description(
        "search everything that the stored credentials can read for places that hold a managed value, or have its name, but are not managed; exits with 3 when there are some",
      )
      .addOption(environmentOption())
      .addHelpText("after", examples("lockstep discover", "lockstep discover -e production --json")),
    () => import("../commands/discover.ts"),
  );
  attach(
    program
      .command("heal")
      .summary("restore what was changed by hand")
      .description(
        "overwrite what was changed by hand with the right value; without a name, everywhere that is known to differ",
      )
      .addOption(environmentOption())
      .option("--target <name>", "only at this target")
      .option("--secret <name>", "only where this secret is bound")
      .option("--no-wait", "do not wait until the value is in use")
      .addOption(durationOption("--timeout <duration>", "wait at most this long (default: 5 min)"))
      .addHelpText("after", examples("lockstep heal --target api --secret API_KEY", "lockstep heal")),
    () => import("../commands/heal.ts"),
  );
}
