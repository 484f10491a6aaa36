/** renewals, renew, jwks. */
import type { Command } from "commander";
import type { Attach } from "../cli.ts";
import { durationOption, environmentOption, examples } from "./options.ts";

export function attachRenewals(program: Command, attach: Attach): void {
  attach(
    program
      .command("renewals")
      .description("tokens that expire: when, who makes the next one, and when")
      .summary("tokens: when they expire, and what went wrong")
      .addOption(environmentOption())
      .addHelpText("after", examples("lockstep renewals", "lockstep renewals --json")),
    () => import("../commands/renewals.ts"),
  );
  attach(
    program
      .command("renew <secret>")
      .description("get the next token now, even if it is not due")
      .addOption(environmentOption())
      .option("--wait", "wait until every place has it; exits with 1 when it fails, 4 when it still runs")
      .addOption(durationOption("--timeout <duration>", "wait at most this long"))
      .option("--again", "try even if a request without an answer may have used up the refresh token")
      .addHelpText(
        "after",
        examples("lockstep renew PARTNER_TOKEN --wait", "lockstep renew PARTNER_TOKEN --again"),
      ),
    () => import("../commands/renew.ts"),
  );
  attach(
    program
      .command("jwks <secret>")
      .description("the public keys that verify its signed tokens, as one JSON document")
      .summary("public keys of its signed tokens")
      .addOption(environmentOption())
      .addHelpText("after", examples("lockstep jwks API_TOKEN")),
    () => import("../commands/jwks.ts"),
  );
}
