/** init. */
import { type Command, Option } from "commander";
import type { Attach } from "../cli.ts";
import { examples, parsePort } from "./options.ts";

export function attachInit(program: Command, attach: Attach): void {
  attach(
    program
      .command("init")
      .description("ask what belongs where, test it, and write lockstep.yaml, which holds no values")
      .summary("ask what belongs where, and write lockstep.yaml")
      .option("-f, --file <path>", "default: lockstep.yaml")
      .option("--force", "replace the file if it exists")
      .option("--yes", "ask nothing: use the options below, and defaults for the rest")
      .option("-e, --environment <environment>", "default: production")
      .option("--secret <name>", "the first secret; default: INTERNAL_AUTH_SECRET")
      .addOption(
        new Option("--value <source>", "import the value in use, or make a new one").choices([
          "import",
          "generate",
        ]),
      )
      .optionsGroup("A service on Railway (the token comes from RAILWAY_TOKEN):")
      .option("--railway-project <name>", "id or name; needed if the token reaches several")
      .option("--railway-environment <name>", "id or name; needed if the project has several")
      .option("--railway-service <service...>", "id or name, with =verifier, =caller or =both")
      .option("--railway-endpoint <url>", "another address, for example a simulator's")
      .optionsGroup("A host over SSH:")
      .option("--ssh-host <host>", "name or address")
      .addOption(new Option("--ssh-port <number>", "default: 22").argParser((text) => parsePort(text)))
      .option("--ssh-user <name>", "user that logs in")
      .option("--ssh-key <path>", "private key file; lockstep.yaml gets its path, not the key")
      .option(
        "--ssh-fingerprint <sha256>",
        "fingerprint of the host key, as its owner reads it; without it you are asked",
      )
      .option("--ssh-host-key <line>", "the host's public key, if no server can fetch it")
      .option("--ssh-target <name>", "its name in lockstep.yaml")
      .option("--ssh-file <path>", "the file that holds the secret")
      .option("--ssh-format <format>", "dotenv, systemd, shell, json, plist, raw…")
      .option("--ssh-unit <unit>", "systemd unit that restarts afterwards")
      .addOption(roleOption("--ssh-role <role>"))
      .optionsGroup("A machine with an agent:")
      .option("--agent <name>", "its name in lockstep.yaml")
      .option("--agent-file <path>", "the file that holds the secret")
      .option("--agent-format <format>", "dotenv, systemd, shell, json, plist, raw…")
      .option("--agent-unit <unit>", "systemd unit or launchd job that restarts afterwards")
      .addOption(roleOption("--agent-role <role>"))
      .optionsGroup("A path in Vault or OpenBao (the token comes from VAULT_TOKEN):")
      .option("--vault-address <url>", "for example https://vault.example.com:8200")
      .option("--vault-mount <mount>", "of a KV engine, version 2; default: secret")
      .option("--vault-path <path>", "below the mount, for example apps/api")
      .option("--vault-namespace <path>", "of Enterprise or OpenBao; default: the root namespace")
      .option("--vault-target <name>", "its name in lockstep.yaml; default: vault")
      .addOption(roleOption("--vault-role <role>"))
      .addHelpText(
        "after",
        examples(
          "lockstep init",
          "lockstep init --yes --value generate --railway-service api=verifier",
          "lockstep init --yes --ssh-host vps.example.com --ssh-user deploy --ssh-key ~/.ssh/id_ed25519 \\\n    --ssh-fingerprint SHA256:… --ssh-file /etc/app/env --ssh-unit app.service --ssh-role caller",
        ),
      ),
    () => import("../commands/init.ts"),
  );
}

function roleOption(flags: string): Option {
  return new Option(flags, "what it does with the secret").choices(["verifier", "caller", "both"]);
}
