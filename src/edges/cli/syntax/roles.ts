/** up, server, worker, migrate. */
import type { Command } from "commander";
import type { Attach } from "../cli.ts";
import { examples, portOption } from "./options.ts";

const AGENTS = [
  "--agents <[address:]port>",
  "listen for agents there; same as LOCKSTEP_AGENT_LISTEN",
] as const;

const EPOCH_BEGIN = "lockstep epoch begin --reason restored-from-monday";

export function attachRoles(program: Command, attach: Attach): void {
  attach(
    program
      .command("up")
      .description("run everything in one process: server, worker and a PostgreSQL of its own")
      .summary("run everything in one process, with its own database")
      .addOption(portOption("default: 7420; 0 takes any free port", 0))
      .option(...AGENTS)
      .addHelpText(
        "after",
        examples(
          "lockstep up",
          "LOCKSTEP_DATA=/srv/lockstep lockstep up --port 8080",
          "LOCKSTEP_AGENT_URL=https://lockstep.example.com:7421 lockstep up --agents 7421",
        ),
      ),
    async () => (await import("../commands/serve.ts")).up,
  );
  attach(
    program
      .command("server")
      .description("run the API server; needs DATABASE_URL")
      .addOption(portOption("default: 7420; 0 takes any free port", 0))
      .option(...AGENTS)
      .addHelpText("after", examples("DATABASE_URL_FILE=/run/secrets/database-url lockstep server")),
    async () => (await import("../commands/serve.ts")).server,
  );
  attach(
    program
      .command("worker")
      .description(
        "run a worker, which brings values to their places; needs DATABASE_URL, any number may run",
      )
      .summary("run a worker, which brings values to their places")
      .addHelpText("after", examples("DATABASE_URL_FILE=/run/secrets/database-url lockstep worker")),
    async () => (await import("../commands/serve.ts")).worker,
  );
  attach(
    program
      .command("migrate")
      .description("bring the store's schema up to this release; needs DATABASE_URL")
      .summary("bring the store's schema up to this release")
      .addHelpText("after", examples("DATABASE_URL_FILE=/run/secrets/database-url lockstep migrate")),
    () => import("../commands/migrate.ts"),
  );
}

export function attachKeys(program: Command, attach: Attach): void {
  const rootKey = program
    .command("root-key")
    .description("copy the key that decrypts the store, and check a copy")
    .summary("copy the key that decrypts the store")
    .addHelpText("after", examples("lockstep root-key copy /media/stick/lockstep-root.key"));
  attach(
    rootKey
      .command("copy <file>")
      .description(
        "copy the root key to a new file, or with - to standard output; run this where Lockstep runs",
      )
      .summary("copy the root key to a new file, or with - to standard output")
      .addHelpText(
        "after",
        examples(
          "lockstep root-key copy /media/stick/lockstep-root.key",
          "lockstep root-key copy - | age --recipients-file ~/.config/age/recipients > lockstep-root.key.age",
        ),
      ),
    () => import("../commands/root-key-copy.ts"),
  );
  attach(
    rootKey
      .command("check [file]")
      .description(
        "check that a copy of the root key decrypts this store; the copy comes from a file, standard input or a prompt, and the check is recorded",
      )
      .summary("check that a copy decrypts this store")
      .addHelpText(
        "after",
        `${examples(
          "lockstep root-key check /media/stick/lockstep-root.key",
          "age --decrypt -i ~/.config/age/keys lockstep-root.key.age | lockstep root-key check",
        )}\n\nThe copy is read here and never sent. To open a store with it, put it where the key was, for its owner alone\n(chmod 600), and start Lockstep.`,
      ),
    () => import("../commands/root-key-check.ts"),
  );
  const store = program
    .command("store")
    .description("see what takes space in the store, and move values between PostgreSQL and Vault")
    .summary("size of the store; move values to Vault and back")
    .addHelpText("after", examples("lockstep store status", "lockstep store move-values"));
  attach(
    store
      .command("status")
      .description(
        "show what takes space in the store, what it grows by, how much disk is left, and how long history is kept",
      )
      .summary("size, growth, free disk, and how long history is kept")
      .addHelpText("after", examples("lockstep store status", "lockstep store status --json")),
    () => import("../commands/store-status.ts"),
  );
  attach(
    store
      .command("move-values")
      .description(
        "move the values of all versions to the store that the server is set to use (LOCKSTEP_VALUE_STORE); may be interrupted and repeated",
      )
      .summary("move all values to the store that the server is set to use")
      .addHelpText(
        "after",
        `${examples(
          "LOCKSTEP_VALUE_STORE=vault LOCKSTEP_VAULT_ADDR=https://vault.example.com:8200 LOCKSTEP_VAULT_TOKEN_FILE=/run/secrets/vault-token lockstep up",
          "lockstep store move-values",
        )}\n\nThe way back: LOCKSTEP_VALUE_STORE=postgres, with the LOCKSTEP_VAULT_ settings still there, and the same command.`,
      ),
    () => import("../commands/move-values.ts"),
  );
  const epoch = program
    .command("epoch")
    .description(
      "whether the store was set back (restored from an older state), and what every place holds; exits with 4 if it was",
    )
    .summary("after a restore: see what places hold, and go on")
    .addHelpText("after", examples("lockstep epoch", EPOCH_BEGIN));
  attach(epoch, () => import("../commands/epoch.ts"));
  attach(
    epoch
      .command("begin")
      .description("after a restore: declare this store the valid one, as it is; shows every place, and asks")
      .summary("after a restore: declare this store the valid one")
      .requiredOption("--reason <text>", "why; it is recorded, and agents see it")
      .option("--yes", "do not ask for confirmation")
      .addHelpText("after", examples(EPOCH_BEGIN)),
    () => import("../commands/epoch-begin.ts"),
  );
  attach(
    program
      .command("rewrap")
      .description(
        "encrypt everything again under the current root key and its newest version; the values stay the same",
      )
      .summary("encrypt everything again under the current root key")
      .addHelpText(
        "after",
        `${examples(
          "LOCKSTEP_ROOT_KEY_FILE=new.key LOCKSTEP_PREVIOUS_ROOT_KEY_FILE=old.key lockstep up",
          "lockstep rewrap",
        )}\n\nTo a key in Vault: LOCKSTEP_KEY_RING=vault-transit and LOCKSTEP_PREVIOUS_ROOT_KEY_FILE=old.key. The way back:\nLOCKSTEP_KEY_RING=local, LOCKSTEP_ROOT_KEY_FILE=new.key and LOCKSTEP_PREVIOUS_KEY_RING=vault-transit. After a rotation in\nVault the command alone; only when it says that nothing is left may min_decryption_version be raised.`,
      ),
    () => import("../commands/rewrap.ts"),
  );
}
