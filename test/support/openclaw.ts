/**
 * A gateway of OpenClaw on loopback: the real one where this machine has it, and a double that was made after it
 * (`openclaw-double.ts`). Both hold one token, in a configuration file that they follow by themselves, or in a file of
 * its own that they read again when they are told to.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "../../src/simulator/free-port.ts";

export interface Gateway {
  readonly origin: string;
  readonly port: number;
  readonly configFile: string;
  /** Where the token stands. */
  readonly tokenFile: string;
  stop(): Promise<void>;
}

/** `value`: in the configuration itself. `reference`: in a file of its own, which the configuration names. */
export type Layout = "reference" | "value";

const READY_WITHIN_MS = 120_000;

export interface WrittenConfig {
  readonly configFile: string;
  readonly tokenFile: string;
}

export function writeConfig(
  home: string,
  port: number,
  token: string,
  layout: Layout,
  gateway: object = {},
): WrittenConfig {
  const directory = join(home, ".openclaw");
  const secrets = join(directory, "secrets");
  mkdirSync(secrets, { recursive: true, mode: 0o700 });
  const configFile = join(directory, "openclaw.json");
  const tokenFile = layout === "value" ? configFile : join(secrets, "gw-token");
  const reference = { source: "file", provider: "gwtoken", id: "value" };
  const config = {
    gateway: {
      mode: "local",
      port,
      bind: "loopback",
      auth: { mode: "token", token: layout === "value" ? token : reference },
      controlUi: { enabled: false },
      ...gateway,
    },
    ...(layout === "value"
      ? {}
      : { secrets: { providers: { gwtoken: { source: "file", path: tokenFile, mode: "singleValue" } } } }),
    discovery: { mdns: { mode: "off" } },
    update: { checkOnStart: false },
  };
  if (layout === "reference") writeFileSync(tokenFile, token, { mode: 0o600 });
  writeFileSync(configFile, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  return { configFile, tokenFile };
}

/** `entry`: the program, beside the Node that it needs. Its own home, no credentials, nothing inherited. */
export async function startRealGateway(
  entry: string,
  home: string,
  token: string,
  layout: Layout = "value",
): Promise<Gateway> {
  const port = await freePort();
  const written = writeConfig(home, port, token, layout);
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
    port,
    ...written,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.kill("SIGTERM");
      await Promise.race([gone, delay(15_000).then(() => child.kill("SIGKILL"))]);
    },
  };
}

/** With that token: true accepted, false refused, null: anything else, which tells nothing. */
export async function accepts({ origin }: Pick<Gateway, "origin">, token: string): Promise<boolean | null> {
  const { status } = await fetch(`${origin}/tools/invoke`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: "{}",
  });
  return status === 400 ? true : status === 401 ? false : null;
}
