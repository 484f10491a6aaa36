/** renewals, renew, jwks. */
import type { Command } from "commander";
import type { Attach } from "../cli.ts";
import { durationOption, environmentOption, examples } from "./options.ts";

export function attachRenewals(program: Command, attach: Attach): void {
  attach(
    program
      .command("renewals")
      .description("tokens that end by themselves: until when, who makes the next one, and when")
      .summary("tokens: until when, and what went wrong")
      .addOption(environmentOption())
      .addHelpText("after", examples("lockstep renewals", "lockstep renewals --json")),
    () => import("../commands/renewals.ts"),
  );
  attach(
    program
      .command("renew <secret>")
      .description("the next token now, whether or not it is due")
      .addOption(environmentOption())
      .option(
        "--wait",
        "stay until every place has it; exits with 1 when it does not end well, 4 when it still runs",
      )
      .addOption(durationOption("--timeout <duration>", "wait at most so long"))
      .option("--again", "also with a refresh token that a request without an answer may have used up")
      .addHelpText(
        "after",
        examples("lockstep renew PARTNER_TOKEN --wait", "lockstep renew PARTNER_TOKEN --again"),
      ),
    () => import("../commands/renew.ts"),
  );
  attach(
    program
      .command("jwks <secret>")
      .description("the public keys by which its signed tokens are checked, as one JSON document")
      .summary("public keys of its signed tokens")
      .addOption(environmentOption())
      .addHelpText("after", examples("lockstep jwks API_TOKEN")),
    () => import("../commands/jwks.ts"),
  );
}
