/** A real redis-server of the test's own, on a loopback port. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { findServer } from "./servers.ts";

export interface TestRedis {
  readonly url: string;
  /** The same port and files again. */
  restart(): Promise<void>;
  /** kill -9. */
  kill(): Promise<void>;
  flush(): Promise<void>;
  command(name: string, ...words: string[]): Promise<void>;
  /** Everything that stands in it, as text. */
  dump(): Promise<string>;
  stop(): Promise<void>;
}

/** `more`: further arguments of the server. */
export async function startRedis(more: readonly string[] = []): Promise<TestRedis> {
  const program = findServer("redis");
  if (program === null) throw new Error("redis-server was not found");
  const directory = await mkdtemp(join(tmpdir(), "lockstep-redis-"));
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  let server = await spawnRedis(program, directory, [...more, "--port", String(port)]);

  return {
    url,
    kill: () => end(server, "SIGKILL"),
    restart: async () => {
      await end(server, "SIGTERM");
      server = await spawnRedis(program, directory, [...more, "--port", String(port)]);
    },
    flush: () => withClient(url, async (client) => void (await client.flushall())),
    command: (name, ...words) => withClient(url, async (client) => void (await client.call(name, ...words))),
    dump: () => withClient(url, dumpAll),
    stop: async () => {
      await end(server, "SIGTERM");
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function spawnRedis(
  program: string,
  directory: string,
  words: readonly string[],
): Promise<ChildProcess> {
  const server = spawn(
    program,
    [...words, "--bind", "127.0.0.1", "--dir", directory, "--appendonly", "yes", "--save", ""],
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  await new Promise<void>((resolve, reject) => {
    server.stdout?.on("data", (chunk: Buffer) => {
      if (chunk.toString().includes("Ready to accept connections")) resolve();
    });
    server.once("exit", () => reject(new Error("redis-server ended at its start")));
  });
  server.stdout?.resume();
  return server;
}

async function end(server: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  server.kill(signal);
  await once(server, "exit");
}

async function withClient<T>(url: string, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url);
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}

async function dumpAll(client: Redis): Promise<string> {
  const parts: string[] = [];
  for (const key of await client.keys("*")) {
    const dumped = await client.dumpBuffer(key);
    parts.push(key, dumped?.toString("latin1") ?? "");
  }
  return parts.join("\n");
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
