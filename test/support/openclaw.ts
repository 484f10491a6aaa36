/**
 * A gateway of OpenClaw on loopback: the real one where this machine has it, and a double that was made after it. Both
 * hold one token, in `gateway.auth.token` of a configuration file that they follow by themselves.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "../../src/simulator/free-port.ts";

export interface Gateway {
  readonly origin: string;
  readonly configFile: string;
  stop(): Promise<void>;
}

const READY_WITHIN_MS = 120_000;
/** How long after a write the double follows its file; the real one took 544 to 560 ms (release 2026.9.6, five times). */
const FOLLOWS_AFTER_MS = 550;

function configOf(port: number, token: string): string {
  const config = {
    gateway: {
      mode: "local",
      port,
      bind: "loopback",
      auth: { mode: "token", token },
      controlUi: { enabled: false },
    },
    discovery: { mdns: { mode: "off" } },
    update: { checkOnStart: false },
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

function writeConfig(home: string, port: number, token: string): string {
  const directory = join(home, ".openclaw");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, "openclaw.json");
  writeFileSync(file, configOf(port, token), { mode: 0o600 });
  return file;
}

/** `entry`: the program, beside the Node that it needs. Its own home, no credentials, nothing inherited. */
export async function startRealGateway(entry: string, home: string, token: string): Promise<Gateway> {
  const port = await freePort();
  const configFile = writeConfig(home, port, token);
  const node = join(entry, "..", "..", `node-${process.platform}-${process.arch}`, "bin");
  const child: ChildProcess = spawn(join(node, "node"), [entry, "gateway", "run"], {
    cwd: home,
    env: {
      HOME: home,
      PATH: `${node}:/usr/bin:/bin`,
      OPENCLAW_NO_RESPAWN: "1",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => {
      said = `${said}${chunk.toString()}`.slice(-4_000);
    });
  const origin = `http://127.0.0.1:${port}`;
  for (const deadline = Date.now() + READY_WITHIN_MS; ; await delay(250)) {
    const ready = await fetch(`${origin}/readyz`).catch(() => null);
    if (ready?.status === 200) break;
    if (child.exitCode !== null || Date.now() > deadline)
      throw new Error(`the gateway is not ready: ${said}`);
  }
  return {
    origin,
    configFile,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.kill("SIGTERM");
      await Promise.race([gone, delay(15_000).then(() => child.kill("SIGKILL"))]);
    },
  };
}

/**
 * What the real one answers to `POST /tools/invoke` with `{}`: 400 to the token, 401 to any other, 403 to whoever comes
 * through an undeclared proxy, with the right token too.
 */
export async function startGatewayDouble(home: string, token: string): Promise<Gateway> {
  const server = createServer(async (request, response) => {
    await text(request);
    const answer = (status: number, body: object): void => {
      response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
    };
    if (["/health", "/healthz", "/ready", "/readyz"].includes(request.url ?? ""))
      return answer(200, { ok: true });
    if (request.headers["x-forwarded-for"] !== undefined)
      return answer(403, { error: { type: "proxy_attribution_required" } });
    if (request.url !== "/tools/invoke" || request.method !== "POST") return answer(404, {});
    return request.headers.authorization === `Bearer ${accepted}`
      ? answer(400, { ok: false, error: { type: "invalid_request", message: "" } })
      : answer(401, { error: { message: "Unauthorized", type: "unauthorized" } });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const configFile = writeConfig(home, port, token);
  let accepted = token;
  const follow = setInterval(() => {
    try {
      const { gateway } = JSON.parse(readFileSync(configFile, "utf8")) as {
        gateway: { auth: { token: string } };
      };
      const next = gateway.auth.token;
      if (next !== accepted)
        setTimeout(() => {
          accepted = next;
        }, FOLLOWS_AFTER_MS).unref();
    } catch {
      // What cannot be read is skipped; the old token stays.
    }
  }, 50);
  return {
    origin: `http://127.0.0.1:${port}`,
    configFile,
    async stop() {
      clearInterval(follow);
      server.close().closeAllConnections();
      await once(server, "close");
    },
  };
}

/** With that token: true accepted, false refused, null: anything else, which tells nothing. */
export async function accepts({ origin }: Gateway, token: string): Promise<boolean | null> {
  const { status } = await fetch(`${origin}/tools/invoke`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: "{}",
  });
  return status === 400 ? true : status === 401 ? false : null;
}
