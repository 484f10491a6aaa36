import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LocalHost } from "../../src/adapters/hosts/local/local-host.ts";
import { createHostActivator } from "../../src/adapters/placements/activation/activator.ts";
import { activateSchema, provenBy, unitOf } from "../../src/adapters/placements/activation/config.ts";
import type { ActivationProgress, Activator } from "../../src/core/ports/activator.ts";
import { childEnvironment } from "../../src/lib/child-environment.ts";

const soon = () => AbortSignal.timeout(20_000);
let home: string;
let pidFile: string;
let server: ChildProcess;
let activator: Activator;
const activate = () => activateSchema.parse({ signal: { name: "HUP", pidFile } });
const unit = () => unitOf(activate(), "agent:host", "host", "");

/** A server that rereads on HUP, and says so. */
async function startServer(): Promise<void> {
  const source =
    "process.on('SIGHUP', () => console.log('reread')); console.log('up'); setInterval(() => 0, 1e6)";
  server = spawn(process.execPath, ["-e", source], { stdio: ["ignore", "pipe", "inherit"] });
  await line();
  writeFileSync(pidFile, `${server.pid}\n`, { mode: 0o644 });
}

async function line(): Promise<string> {
  const [chunk] = (await once(server.stdout ?? fail("no stdout"), "data")) as [Buffer];
  return chunk.toString().trim();
}

async function stopServer(): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  server.kill("SIGKILL");
  await once(server, "exit");
}

beforeEach(async () => {
  home = realpathSync(mkdtempSync(join(tmpdir(), "lockstep-signal-")));
  mkdirSync(join(home, "run"), { mode: 0o755 });
  pidFile = join(home, "run/app.pid");
  const host = new LocalHost({ environment: childEnvironment(process.env, { HOME: home }) });
  activator = createHostActivator(host, activate(), null) ?? fail("no activator");
  await startServer();
});
afterEach(async () => {
  await stopServer();
  rmSync(home, { recursive: true });
});

async function follow(id: string | null): Promise<ActivationProgress> {
  const asked = { unit: unit(), id, knownIds: [], requestedAgoMs: 0, expected: [] };
  return (await activator.follow([asked], soon()))[0] ?? fail("no progress");
}

describe("a signal to the process of a pid file", () => {
  it("arrives, and proves no more than that the file is stored", async () => {
    expect(await activator.prepare(unit(), soon())).toMatchObject({ dormant: false });
    const heard = line();
    const { id } = await activator.activate(unit(), soon());
    expect(await heard).toBe("reread");
    const progress = await follow(id);
    expect(progress).toMatchObject({
      state: "succeeded",
      evidence: "stored",
      incarnation: { pid: server.pid },
    });
    expect(provenBy(activate())).toBe("stored");
  });

  it("proves more where the program started anew for it", async () => {
    const { id } = await activator.activate(unit(), soon());
    await stopServer();
    await startServer();
    expect(await follow(id)).not.toHaveProperty("evidence");
  });

  it("failed where the program died of it", async () => {
    const { id } = await activator.activate(unit(), soon());
    await stopServer();
    expect(await follow(id)).toMatchObject({ state: "failed" });
  });

  it("is not sent where nothing runs", async () => {
    await stopServer();
    expect(await activator.prepare(unit(), soon())).toEqual({ knownIds: [], dormant: true });
    rmSync(pidFile);
    expect(await activator.prepare(unit(), soon())).toEqual({ knownIds: [], dormant: true });
  });

  it("is not sent through a file that others could change", async () => {
    const refused = { code: "FILE_UNSAFE" };
    chmodSync(pidFile, 0o666);
    await expect(activator.activate(unit(), soon())).rejects.toMatchObject(refused);
    chmodSync(pidFile, 0o644);
    chmodSync(join(home, "run"), 0o777);
    await expect(activator.activate(unit(), soon())).rejects.toMatchObject(refused);
    chmodSync(join(home, "run"), 0o755);
    rmSync(pidFile);
    writeFileSync(join(home, "other"), String(server.pid));
    symlinkSync(join(home, "other"), pidFile);
    await expect(activator.activate(unit(), soon())).rejects.toMatchObject(refused);
  });

  it.each(["", "1", "0", "-1", "12 13", "$(id)"])("is not sent to %j", async (content) => {
    writeFileSync(pidFile, content);
    await expect(activator.activate(unit(), soon())).rejects.toMatchObject({ code: "TARGET_REFUSED" });
  });
});

function fail(what: string): never {
  throw new Error(what);
}
