/** secret, token. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Attach } from "../cli.ts";
import { environmentOption, examples, parseDuration } from "./options.ts";

export function attachSecrets(program: Command, attach: Attach): void {
  const secret = program.command("secret").description("values: set, make, look at");
  attach(
    secret.command("list").description("names and versions, never values").addOption(environmentOption()),
    () => import("../commands/secret-list.ts"),
  );
  attach(
    secret
      .command("set <name>")
      .description(
        "a new version with the value from stdin, a prompt or a file; brought to every bound place",
      )
      .addOption(environmentOption())
      .option("--value-file <path>", "read the value from this file")
      .option("--exact", "keep a final line break instead of dropping one")
      .option("--field <name>", "set this field of the secret")
      .addHelpText(
        "after",
        examples("lockstep secret set API_KEY", "pass show api-key | lockstep secret set API_KEY -e staging"),
      ),
    () => import("../commands/secret-set.ts"),
  );
  attach(
    secret
      .command("generate <name>")
      .description("a new version whose value is made by the secret's policy")
      .addOption(environmentOption()),
    () => import("../commands/secret-generate.ts"),
  );
  attach(
    secret
      .command("versions <name>")
      .description("the versions, newest first")
      .addOption(environmentOption()),
    () => import("../commands/secret-versions.ts"),
  );
  attach(
    secret
      .command("reveal <name>")
      .description("the value itself on stdout; that it was revealed is recorded")
      .addOption(environmentOption())
      .addOption(versionOption())
      .option("--field <name>", "this field of the secret"),
    () => import("../commands/secret-reveal.ts"),
  );
  attach(
    secret
      .command("destroy <name>")
      .description("drop the value of a retired version for good")
      .addOption(environmentOption())
      .addOption(versionOption().makeOptionMandatory())
      .option("--yes", "do not ask")
      .addHelpText("after", examples("lockstep secret destroy API_KEY --secret-version 3")),
    () => import("../commands/secret-destroy.ts"),
  );
}

export function attachTokens(program: Command, attach: Attach): void {
  const token = program.command("token").description("who may speak with Lockstep");
  attach(
    token
      .command("create <name>")
      .description("a new token; printed once")
      .option("--scope <scope...>", "viewer, operator, admin; grants: reveal, adopt, force, export", [
        "viewer",
      ])
      .addOption(
        new Option("--expires <duration>", "30m, 12h, 90d, or never")
          .default(parseDuration("90d"), "90d")
          .argParser(parseExpiry),
      )
      .addHelpText("after", examples("lockstep token create ci --scope operator --expires 30d > ci.token")),
    () => import("../commands/token-create.ts"),
  );
  attach(token.command("list").description("the tokens"), () => import("../commands/token-list.ts"));
  attach(
    token.command("revoke <id>").description("takes effect with the next request"),
    () => import("../commands/token-revoke.ts"),
  );
}

function parseExpiry(text: string): number | null {
  if (text === "never") return null;
  return parseDuration(text);
}

/** Not `--version`, which prints Lockstep's own. */
function versionOption(): Option {
  return new Option("--secret-version <number>", "this version; the current one unless told").argParser(
    (text) => {
      const version = /^v?\d{1,9}$/.test(text) ? Number(text.replace("v", "")) : 0;
      if (version < 1) throw new InvalidArgumentError("Use a version's number, for example 3.");
      return version;
    },
  );
}
