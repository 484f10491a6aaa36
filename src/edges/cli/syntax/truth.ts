/** status, check, target. */
import type { Command } from "commander";
import type { Attach } from "../cli.ts";
import { durationOption, environmentOption, examples, portOption } from "./options.ts";

export function attachTruth(program: Command, attach: Attach): void {
  attach(
    program
      .command("status")
      .description("which version stands where, in which state, with which evidence")
      .summary("which version stands where, and what is wrong")
      .addOption(environmentOption())
      .option("--watch", "show it again and again, until Ctrl-C; with --json a document a line")
      .addOption(durationOption("--every <duration>", "with --watch: how often (2 s unless told)"))
      .addHelpText(
        "after",
        examples(
          "lockstep status",
          "lockstep status --watch",
          "lockstep status --environment production --json",
        ),
      ),
    () => import("../commands/status.ts"),
  );
  attach(
    program
      .command("check")
      .description("ask the places now; exits with 3 when something differs, with 4 when it cannot tell")
      .summary("ask the places now")
      .addOption(environmentOption())
      .option("--target <target>", "only this target")
      .option("--quiet", "say nothing where nothing differs: for cron, which mails what is said")
      .addHelpText("after", examples("lockstep check", "lockstep check --quiet || page-somebody")),
    () => import("../commands/check.ts"),
  );
  const target = program
    .command("target")
    .description("the places that hold secrets")
    .addHelpText("after", examples("lockstep target list", "lockstep target test api"));
  attach(
    target
      .command("list")
      .description("the places, and what is owed there")
      .addOption(environmentOption())
      .addHelpText("after", examples("lockstep target list")),
    () => import("../commands/target-list.ts"),
  );
  attach(
    target
      .command("test [target...]")
      .description("credential, address and rights of targets, of all unless named; changes nothing there")
      .addOption(environmentOption())
      .addHelpText("after", examples("lockstep target test api", "lockstep target test --json")),
    () => import("../commands/target-test.ts"),
  );
  attach(
    target
      .command("trust <host>")
      .description("the host's key for lockstep.yaml, once its fingerprint was compared")
      .option("--fingerprint <sha256>", "the expected one; without it a person is asked")
      .addOption(portOption("22 unless told"))
      .addHelpText("after", examples("lockstep target trust vps.example.com --fingerprint SHA256:…")),
    () => import("../commands/target-trust.ts"),
  );
}
