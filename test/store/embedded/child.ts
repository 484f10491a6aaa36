/**
 * A Lockstep process as far as the embedded Postgres is concerned: starts it, tells on stdout, and lives until its
 * stdin ends (then it stops it) or until it is killed. Started by `children.ts`.
 */
import { startEmbeddedPostgres } from "../../../src/adapters/store/embedded/start.ts";
import { toLockstepError } from "../../../src/core/errors.ts";
import type { Logger } from "../../../src/core/ports/logger.ts";

const silent = (): void => undefined;
const log: Logger = { debug: silent, info: silent, warn: silent, error: silent };

const directory = process.argv[2] ?? "";
const say = (answer: object): boolean => process.stdout.write(`${JSON.stringify(answer)}\n`);

try {
  const embedded = await startEmbeddedPostgres({ directory, log });
  const { host } = embedded.connection;
  say({ ready: true, host, runAs: embedded.runAs, residentBytes: process.memoryUsage.rss() });
  process.stdin.resume();
  process.stdin.once("end", () => void embedded.stop());
} catch (error) {
  const { code, message } = toLockstepError(error);
  say({ ready: false, code, message });
}
