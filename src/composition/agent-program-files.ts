/** The agent's program as the build left it beside this one: its files and their digests, read once when the server starts. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { ServedProgram } from "../edges/http/agents/program.ts";
import { PROGRAM_PLATFORMS, type ProgramFile, type ProgramPlatform } from "../protocol/agent/program.ts";

const DIRECTORY = fileURLToPath(new URL("../agent-program/", import.meta.url));
const PACKAGE = new URL("../../package.json", import.meta.url);
/** The file for Node is kept as it was read; executables are many times larger and stay where they are. */
const MAX_KEPT_BYTES = 16 * 1024 * 1024;

interface Found {
  readonly file: ProgramFile;
  readonly read: () => Readable;
}

/** Null where it was not built. */
export async function readAgentProgram(directory = DIRECTORY): Promise<ServedProgram | null> {
  const found = (await Promise.all(PROGRAM_PLATFORMS.map((one) => find(directory, one)))).filter(
    (one) => one !== null,
  );
  if (found.length === 0) return null;
  const { version } = JSON.parse(await readFile(PACKAGE, "utf8")) as { version: string };
  return {
    offer: { release: version, files: found.map(({ file }) => file) },
    read: (sha256) => {
      const one = found.find(({ file }) => file.sha256 === sha256);
      if (one === undefined) throw new Error("no such file is offered");
      return one.read();
    },
  };
}

async function find(directory: string, runsOn: ProgramPlatform): Promise<Found | null> {
  const path = `${directory}${runsOn === "node" ? "lockstep-agent.cjs" : `lockstep-agent-${runsOn}`}`;
  const size = await stat(path).then(
    (found) => (found.isFile() ? found.size : 0),
    () => 0,
  );
  if (size === 0) return null;
  if (size > MAX_KEPT_BYTES) {
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
    const file = { runsOn, sha256: hash.digest("hex"), bytes: size };
    // One that is exchanged under way has another digest, and nobody takes it.
    return { file, read: () => createReadStream(path, { end: size - 1 }) };
  }
  const content = await readFile(path);
  const sha256 = createHash("sha256").update(content).digest("hex");
  return { file: { runsOn, sha256, bytes: content.length }, read: () => Readable.from([content]) };
}
