/** plan, apply, import. */
import { type Command, Option } from "commander";
import type { Attach } from "../cli.ts";
import { durationOption, environmentOption, examples } from "./options.ts";

export function attachConfig(program: Command, attach: Attach): void {
  attach(
    withConfigOptions(program.command("plan"))
      .description("what applying lockstep.yaml would change; exits with 2 when it has changes")
      .summary("what applying lockstep.yaml would change")
      .addHelpText(
        "after",
        examples("lockstep plan", "lockstep plan -f base.yaml -f production.yaml --json"),
      ),
    () => import("../commands/plan.ts"),
  );
  attach(
    withConfigOptions(program.command("apply"))
      .description("show the plan, ask, and apply exactly what was shown")
      .summary("show the plan, ask, and apply it")
      .option("--yes", "do not ask for confirmation")
      .option(
        "--wait",
        "wait until every target holds what it should; exits with 1 when one gave up, 4 when one still works",
      )
      .addOption(durationOption("--timeout <duration>", "wait at most this long"))
      .addHelpText(
        "after",
        examples("lockstep apply", "lockstep apply --yes --wait --take-over API_KEY@api"),
      ),
    () => import("../commands/apply.ts"),
  );
  attach(
    program
      .command("import <secret>")
      .description(
        "make a value that is in use somewhere the current version; without --from or --winner all places must agree",
      )
      .summary("import a value that is in use somewhere")
      .addOption(environmentOption())
      .option("--from <target>", "the value at this target")
      .option("--winner [target]", "this target's value; without a name the value that most places hold")
      .option(
        "--exact",
        "import the value byte for byte, even if it begins or ends with invisible characters",
      )
      .option("--wait", "wait until every place has it; exits with 1 when it fails, 4 when it still runs")
      .addOption(durationOption("--timeout <duration>", "wait at most this long"))
      .option("--target-environment <environment>", "the target's environment, if it is not the secret's")
      .addHelpText(
        "after",
        examples("lockstep import API_KEY --from api", "lockstep import API_KEY --winner"),
      ),
    () => import("../commands/import.ts"),
  );
}

function withConfigOptions(command: Command): Command {
  return command
    .addOption(
      new Option("-f, --file <path>", "default: lockstep.yaml; may be given several times").argParser(
        (path: string, before: readonly string[] | undefined) => [...(before ?? []), path],
      ),
    )
    .option(
      "--take-over [names...]",
      "overwrite values that Lockstep does not know: NAME, NAME@TARGET, or without a name all of them",
    )
    .option("--prune", "delete values that Lockstep wrote for bindings that were removed")
    .option("--allow-shrink", "allow a configuration that removes more than half of what exists")
    .option("--during-rollout", "allow removing bindings from a rollout that is running")
    .option(
      "--ask-new",
      "also ask destinations that were never applied, with the credentials that the file refers to: only for files that you trust",
    );
}
