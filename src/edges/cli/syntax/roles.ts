/** up, server, worker, migrate. */
import type { Command } from "commander";
import type { Attach } from "../cli.ts";
import { examples, portOption } from "./options.ts";

const AGENTS = [
  "--agents <[address:]port>",
  "serve agents there, and nothing else; as LOCKSTEP_AGENT_LISTEN",
] as const;

export function attachRoles(program: Command, attach: Attach): void {
  attach(
    program
      .command("up")
      .description("everything in one process, on a store of its own: server, worker and PostgreSQL")
      .summary("everything in one process, with its own store")
      .addOption(portOption("7420 unless told; 0 for any free one", 0))
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
      .description("the API; needs DATABASE_URL")
      .addOption(portOption("7420 unless told; 0 for any free one", 0))
      .option(...AGENTS)
      .addHelpText("after", examples("DATABASE_URL_FILE=/run/secrets/database-url lockstep server")),
    async () => (await import("../commands/serve.ts")).server,
  );
  attach(
    program
      .command("worker")
      .description("brings values to their places; needs DATABASE_URL, any number may run")
      .summary("brings values to their places; any number may run")
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
  attach(
    program
      .command("rewrap")
      .description("move everything sealed to the present root key; values stay as they are")
      .summary("move everything sealed to the present root key")
      .addHelpText(
        "after",
        examples(
          "LOCKSTEP_ROOT_KEY_FILE=new.key LOCKSTEP_PREVIOUS_ROOT_KEY_FILE=old.key lockstep up",
          "lockstep rewrap",
        ),
      ),
    () => import("../commands/rewrap.ts"),
  );
}
