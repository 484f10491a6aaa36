/**
 * A worker in a process of its own, for tests that kill it. Reads `{ backend, address }` as JSON from its first
 * argument, writes `ready`, then `took <id>` for each job and `done <id>` after it; a job named `stuck…` never ends.
 */
import { createPostgresQueue } from "../../src/adapters/queue/postgres-queue.ts";
import { createRedisQueue } from "../../src/adapters/queue/redis-queue.ts";
import type { Job } from "../../src/core/ports/queue.ts";
import { SILENT } from "./database-clusters.ts";

const { redisUrl, connection } = JSON.parse(process.argv[2] ?? "{}") as {
  redisUrl?: string;
  connection?: Record<string, unknown>;
};
const queue =
  redisUrl === undefined ? createPostgresQueue(connection ?? {}, SILENT) : createRedisQueue(redisUrl, SILENT);
const say = (line: string): void => void process.stdout.write(`${line}\n`);

await queue.start(
  async ({ id }: Job) => {
    say(`took ${id}`);
    if (id.startsWith("stuck")) await new Promise(() => setInterval(() => undefined, 60_000));
    say(`done ${id}`);
  },
  { concurrency: 1 },
);
say("ready");
