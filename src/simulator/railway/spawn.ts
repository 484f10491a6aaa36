/** Starts the simulator as a child process, for tests that kill everything else. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, extname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { connectToSimulator, type RemoteSimulator } from "./control/control-client.ts";
import type { Defaults } from "./options.ts";
import type { StartOptions } from "./start-options.ts";

export interface SpawnedSimulator extends RemoteSimulator {
  readonly url: string;
  /** For a third process: `connectToSimulator(controlUrl)`. */
  readonly controlUrl: string;
  readonly defaults: Defaults;
  readonly pid: number;
  close(): Promise<void>;
}

/** It ends with the process that started it. Rejects when it ends before it is ready. */
export async function spawnRailwaySimulator(options: StartOptions = {}): Promise<SpawnedSimulator> {
  const here = fileURLToPath(import.meta.url);
  const extension = extname(here);
  const directory = mkdtempSync(join(tmpdir(), "lockstep-simulator-"));
  const optionsFile = join(directory, "options.json");
  writeFileSync(optionsFile, JSON.stringify(options), { mode: 0o600 });
  const child = spawn(
    process.execPath,
    [
      ...(extension === ".ts" ? ["--import", "tsx"] : []),
      join(dirname(here), `main${extension}`),
      "--options",
      optionsFile,
      "--stop-with-stdin",
    ],
    // The loader is looked up from the working directory.
    { cwd: dirname(here), stdio: ["pipe", "pipe", "pipe"] },
  );
  let complaint = "";
  child.stderr.on("data", (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  try {
    const line = await Promise.race([firstLine(child.stdout), ended.then(() => null)]);
    if (line === null || child.pid === undefined) {
      throw new Error(`the simulator ended before it was ready: ${complaint}`);
    }
    child.stderr.removeAllListeners("data").pipe(process.stderr, { end: false });
    const { url, controlUrl, ...defaults } = JSON.parse(line) as Defaults & {
      url: string;
      controlUrl: string;
    };
    return {
      ...connectToSimulator(controlUrl),
      url,
      controlUrl,
      defaults,
      pid: child.pid,
      async close() {
        child.stdin.end();
        await ended;
      },
    };
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function firstLine(stream: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve) => createInterface({ input: stream }).once("line", resolve));
}
