/** status, check, target. */
import type { Command } from "commander";
import type { Attach } from "../cli.ts";
import { durationOption, environmentOption, examples, portOption } from "./options.ts";

export function attachTruth(program: Command, attach: Attach): void {
  attach(
    program
      .command("status")
      .description("which version each place holds, in which state, with which evidence")
      .summary("which version each place holds, and what is wrong")
      .addOption(environmentOption())
      .option("--watch", "refresh until Ctrl-C; with --json one document per line")
      .addOption(durationOption("--every <duration>", "with --watch: how often (default: 2 s)"))
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
      .description("check every place now; exits with 3 when something differs, with 4 when it cannot tell")
      .summary("check every place now")
      .addOption(environmentOption())
      .option("--target <target>", "only this target")
      .option("--quiet", "print nothing when nothing differs: for cron, which mails all output")
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
      .description("the targets, and what must still be written there")
      .addOption(environmentOption())
      .addHelpText("after", examples("lockstep target list")),
    () => import("../commands/target-list.ts"),
  );
  attach(
    target
      .command("test [target...]")
      .description("test credential, address and rights of targets (default: all); changes nothing there")
      .addOption(environmentOption())
      .addHelpText("after", examples("lockstep target test api", "lockstep target test --json")),
    () => import("../commands/target-test.ts"),
  );
  attach(
    target
      .command("trust <host>")
      .description("print a host's key for lockstep.yaml, after you compared its fingerprint")
      .option("--fingerprint <sha256>", "the expected fingerprint; without it you are asked")
      .addOption(portOption("default: 22"))
      .addHelpText("after", examples("lockstep target trust vps.example.com --fingerprint SHA256:…")),
    () => import("../commands/target-trust.ts"),
  );
}
