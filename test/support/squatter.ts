/**
 * Another local user who listens where Lockstep listened, and writes down all that is sent there. Where tests run as
 * root it is a process of the user `nobody`; elsewhere it is one of ours, which is as good for what it is sent.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

export interface Squatter {
  readonly pid: number;
  /** For port 0: the one that was given. */
  readonly port: number;
  /** All that was sent so far, as it came. */
  heard(): string;
  end(): Promise<void>;
}

export const NOBODY = 65_534;
export const IS_ROOT = process.getuid?.() === 0;

const PROGRAM = `
const { createServer } = require("node:net");
const { mkdirSync } = require("node:fs");
const { dirname } = require("node:path");
const where = JSON.parse(process.argv[1]);
if (where.makeDirectory) mkdirSync(dirname(where.path), { mode: 0o700 });
const server = createServer((socket) => {
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    console.log(JSON.stringify({ heard: chunk.toString() }));
    socket.end("HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: 14\\r\\nconnection: close\\r\\n\\r\\n{\\"secrets\\":[]}");
  });
});
server.listen(where, () => console.log(JSON.stringify({ port: server.address()?.port ?? 0 })));
`;

export async function startSquatter(
  where: { readonly port: number } | { readonly path: string; readonly makeDirectory?: boolean },
  { own = false }: { readonly own?: boolean } = {},
): Promise<Squatter> {
  const child: ChildProcess = spawn(
    process.execPath,
    ["-e", PROGRAM, JSON.stringify({ host: "port" in where ? "127.0.0.1" : undefined, ...where })],
    {
      env: {},
      cwd: "/",
      stdio: ["ignore", "pipe", "inherit"],
      ...(IS_ROOT && !own ? { uid: NOBODY, gid: NOBODY } : {}),
    },
  );
  let heard = "";
  const port = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", () => reject(new Error("the squatter could not listen")));
    if (child.stdout === null) return reject(new Error("no output"));
    createInterface(child.stdout).on("line", (line) => {
      const said = JSON.parse(line) as { readonly port?: number; readonly heard?: string };
      if (said.port !== undefined) resolve(said.port);
      heard += said.heard ?? "";
    });
  });
  return {
    pid: child.pid ?? 0,
    port,
    heard: () => heard,
    end: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    },
  };
}
