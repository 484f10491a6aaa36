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
      .option("--yes", "do not ask")
      .option(
        "--wait",
        "stay until every target has what it should; exits with 1 if one gave up, 4 if it still works",
      )
      .addOption(durationOption("--timeout <duration>", "wait at most so long"))
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
        "a value that is in use somewhere becomes the current version; without a choice all places must agree",
      )
      .summary("take over a value that is in use somewhere")
      .addOption(environmentOption())
      .option("--from <target>", "the value that stands at this target")
      .option("--winner [target]", "this target's value; without a name the value that most places hold")
      .option("--exact", "also a value that begins or ends with what cannot be seen, as it is")
      .option(
        "--wait",
        "stay until every place has it; exits with 1 when it does not end well, 4 when it still runs",
      )
      .addOption(durationOption("--timeout <duration>", "wait at most so long"))
      .option("--target-environment <environment>", "the target's environment, where it is not the secret's")
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
      new Option("-f, --file <path>", "lockstep.yaml unless told; may be given several times").argParser(
        (path: string, before: readonly string[] | undefined) => [...(before ?? []), path],
      ),
    )
    .option("--take-over [names...]", "overwrite foreign values: NAME or NAME@TARGET, or all of them")
    .option("--prune", "delete what Lockstep wrote where bindings are gone")
    .option("--allow-shrink", "the configuration is meant to lose more than half")
    .option("--during-rollout", "bindings may leave rollouts that are under way")
    .option(
      "--ask-new",
      "look at destinations that were never applied too, with what the file refers to: for files that you trust",
    );
}
