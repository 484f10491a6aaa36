/** secret, token. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Attach } from "../cli.ts";
import { environmentOption, examples, parseDuration } from "./options.ts";

export function attachSecrets(program: Command, attach: Attach): void {
  const secret = program
    .command("secret")
    .description("values: set, make, look at")
    .addHelpText("after", examples("lockstep secret list", "lockstep secret set API_KEY"));
  attach(
    secret
      .command("list")
      .description("names and versions, never values")
      .addOption(environmentOption())
      .addHelpText("after", examples("lockstep secret list", "lockstep secret list -e staging --json")),
    () => import("../commands/secret-list.ts"),
  );
  attach(
    secret
      .command("set <secret>")
      .description(
        "make a new version with the value from stdin, a prompt or a file, and bring it to every bound place",
      )
      .addOption(environmentOption())
      .option("--value-file <path>", "read the value from this file")
      .option("--exact", "keep every byte: a final line break, a byte order mark, invisible characters")
      .option("--field <name>", "set this field of the secret")
      .addHelpText(
        "after",
        examples("lockstep secret set API_KEY", "pass show api-key | lockstep secret set API_KEY -e staging"),
      ),
    () => import("../commands/secret-set.ts"),
  );
  attach(
    secret
      .command("generate <secret>")
      .description("make a new version, with a value made by the secret's policy")
      .addOption(environmentOption())
      .addHelpText("after", examples("lockstep secret generate INTERNAL_AUTH_SECRET")),
    () => import("../commands/secret-generate.ts"),
  );
  attach(
    secret
      .command("versions <secret>")
      .description("the versions, newest first")
      .addOption(environmentOption())
      .addHelpText("after", examples("lockstep secret versions API_KEY")),
    () => import("../commands/secret-versions.ts"),
  );
  attach(
    secret
      .command("reveal <secret>")
      .description("print the value on stdout; this is recorded")
      .addOption(environmentOption())
      .addOption(versionOption())
      .option("--field <name>", "this field of the secret")
      .addHelpText(
        "after",
        examples(
          "lockstep secret reveal API_KEY --secret-version 3",
          "lockstep secret reveal API_KEY | pbcopy",
        ),
      ),
    () => import("../commands/secret-reveal.ts"),
  );
  attach(
    secret
      .command("compromised <secret>")
      .description(
        "mark a version that somebody else knows: Lockstep never pushes, accepts or restores it again",
      )
      .addOption(environmentOption())
      .addOption(versionOption().makeOptionMandatory())
      .addHelpText("after", examples("lockstep secret compromised API_KEY --secret-version 3")),
    () => import("../commands/secret-compromised.ts"),
  );
  attach(
    secret
      .command("destroy <secret>")
      .description("delete the value of a retired version permanently")
      .addOption(environmentOption())
      .addOption(versionOption().makeOptionMandatory())
      .option("--yes", "do not ask for confirmation")
      .addHelpText("after", examples("lockstep secret destroy API_KEY --secret-version 3")),
    () => import("../commands/secret-destroy.ts"),
  );
}

export function attachTokens(program: Command, attach: Attach): void {
  const token = program
    .command("token")
    .description("API tokens: who may use Lockstep")
    .addHelpText("after", examples("lockstep token create ci --scope operator", "lockstep token list"));
  attach(
    token
      .command("create <name>")
      .description("make a new token; it is printed once")
      .option("--scope <scope...>", "viewer, operator, admin; grants: plan, reveal, adopt, force, export", [
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
  attach(
    token
      .command("list")
      .description("list tokens: owner, since when, last use; never the tokens themselves")
      .addHelpText("after", examples("lockstep token list")),
    () => import("../commands/token-list.ts"),
  );
  attach(
    token
      .command("revoke <id>")
      .description("revoke a token, from the next request on; `lockstep token list` shows the ids")
      .addHelpText("after", examples("lockstep token revoke 4f2a9c81")),
    () => import("../commands/token-revoke.ts"),
  );
}

function parseExpiry(text: string): number | null {
  if (text === "never") return null;
  return parseDuration(text);
}

/** Not `--version`, which prints Lockstep's own. */
function versionOption(): Option {
  return new Option("--secret-version <number>", "this version; default: the current one").argParser(
    (text) => {
      const version = /^v?\d{1,9}$/.test(text) ? Number(text.replace("v", "")) : 0;
      if (version < 1) throw new InvalidArgumentError("Use a version's number, for example 3.");
      return version;
    },
  );
}
