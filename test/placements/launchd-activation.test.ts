import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LocalHost } from "../../src/adapters/hosts/local/local-host.ts";
import { createHostActivator } from "../../src/adapters/placements/activation/activator.ts";
import { activateSchema, unitOf } from "../../src/adapters/placements/activation/config.ts";
import { plistFormat } from "../../src/adapters/placements/formats/plist.ts";
import type { ActivationProgress, Activator } from "../../src/core/ports/activator.ts";
import { childEnvironment } from "../../src/lib/child-environment.ts";
import { type FakeLaunchctl, makeFakeLaunchctl } from "../support/fake-launchctl.ts";

const LABEL = "com.example.app";
const DOMAIN = process.getuid?.() === 0 ? "system" : `gui/${process.getuid?.() ?? 0}`;
const activate = activateSchema.parse({ launchd: LABEL });
const unit = unitOf(activate, "agent:mac", "mac", "");
const soon = () => AbortSignal.timeout(20_000);

let home: string;
let launchctl: FakeLaunchctl;
let host: LocalHost;
let plist: string;
/** Of a target that writes other files; of one that writes the plist itself. */
let restarting: Activator;
let reloading: Activator;

beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), "lockstep-launchd-")));
  launchctl = makeFakeLaunchctl(home);
  const environment = childEnvironment(process.env, {
    HOME: home,
    PATH: `${launchctl.directory}:${process.env["PATH"] ?? ""}`,
  });
  host = new LocalHost({ environment });
  mkdirSync(join(home, "Library/LaunchAgents"), { recursive: true });
  plist = join(home, `Library/LaunchAgents/${LABEL}.plist`);
  writePlist("old");
  restarting = createHostActivator(host, activate, null, [{ format: "dotenv" }]) ?? fail("no activator");
  reloading = createHostActivator(host, activate, null, [{ format: "plist" }]) ?? fail("no activator");
});
afterEach(() => {
  launchctl.stop();
  rmSync(home, { recursive: true });
});

function writePlist(token: string, more = "<key>RunAtLoad</key><true/>"): void {
  writeFileSync(
    plist,
    `<?xml version="1.0" encoding="UTF-8"?>
<plist version="1.0"><dict><key>Label</key><string>${LABEL}</string>
<key>ProgramArguments</key><array><string>/bin/sleep</string><string>600</string></array>
<key>EnvironmentVariables</key><dict><key>TOKEN</key><string>${token}</string></dict>${more}</dict></plist>`,
  );
}

function ctl(...words: readonly string[]): void {
  execFileSync(join(launchctl.directory, "launchctl"), words);
}

function tokenOfProcess(): string | undefined {
  const environ = readFileSync(`/proc/${launchctl.pidOf(`${DOMAIN}/${LABEL}`) ?? 0}/environ`, "utf8");
  return /(?:^|\0)TOKEN=([^\0]*)/.exec(environ)?.[1];
}

async function follow(
  from: Activator,
  knownIds: readonly string[],
  id: string | null = null,
): Promise<ActivationProgress> {
  const [progress] = await from.follow([{ unit, id, knownIds, requestedAgoMs: 0, expected: [] }], soon());
  return progress ?? fail("no progress");
}

describe.skipIf(!existsSync("/proc/self/environ"))("a launchd job", () => {
  it("is another process after its restart, and the known one before", async () => {
    ctl("bootstrap", DOMAIN, plist);
    const { knownIds, dormant } = await restarting.prepare(unit, soon());
    expect(dormant).toBe(false);
    expect(await follow(restarting, knownIds)).toMatchObject({ state: "not-started" });
    const { id } = await restarting.activate(unit, soon());
    expect(knownIds).not.toContain(id);
    const pid = launchctl.pidOf(`${DOMAIN}/${LABEL}`);
    expect(await follow(restarting, knownIds)).toMatchObject({
      state: "succeeded",
      id,
      incarnation: { pid },
    });
    expect(launchctl.calls()).toContain(`kickstart -k ${DOMAIN}/${LABEL}`);
  });

  it("comes up with its old environment when it is only kicked: the trap that reloading is for", async () => {
    ctl("bootstrap", DOMAIN, plist);
    writeFileSync(plist, plistFormat.write(readFileSync(plist, "utf8"), new Map([["TOKEN", "new"]])));
    await restarting.activate(unit, soon());
    expect(tokenOfProcess()).toBe("old");
    const { knownIds } = await reloading.prepare(unit, soon());
    await reloading.activate(unit, soon());
    expect(tokenOfProcess()).toBe("new");
    expect(await follow(reloading, knownIds)).toMatchObject({ state: "succeeded" });
  });

  it("is loaded anew also while launchd still drains its label", async () => {
    ctl("bootstrap", DOMAIN, plist);
    launchctl.drains(2);
    writePlist("new");
    await reloading.activate(unit, soon());
    expect(tokenOfProcess()).toBe("new");
    expect(launchctl.calls().filter((call) => call.startsWith("bootstrap"))).toHaveLength(4);
  });

  it("that was taken out halfway is loaded again, not forgotten", async () => {
    expect(await follow(reloading, ["1@before"])).toMatchObject({ state: "not-started" });
    await reloading.activate(unit, soon());
    expect(tokenOfProcess()).toBe("old");
  });

  it("that nobody loaded is not woken", async () => {
    expect(await restarting.prepare(unit, soon())).toEqual({ knownIds: [], dormant: true });
  });

  it("that waits for its hour is loaded anew and left waiting", async () => {
    writePlist("old", "<key>StartInterval</key><integer>3600</integer>");
    ctl("bootstrap", DOMAIN, plist);
    expect((await restarting.prepare(unit, soon())).dormant).toBe(true);
    expect((await reloading.prepare(unit, soon())).dormant).toBe(false);
    await reloading.activate(unit, soon());
    expect(await follow(reloading, [])).toMatchObject({ state: "dormant" });
  });

  it("that stops right after its start failed", async () => {
    ctl("bootstrap", DOMAIN, plist);
    const { knownIds } = await restarting.prepare(unit, soon());
    await restarting.activate(unit, soon());
    ctl("kill", "SIGKILL", `${DOMAIN}/${LABEL}`);
    await expect.poll(async () => (await follow(restarting, knownIds)).state).toBe("failed");
  });

  it("whose plist launchd does not take failed, in words of ours", async () => {
    ctl("bootstrap", DOMAIN, plist);
    launchctl.drains(100);
    await expect(
      createHostActivator(host, { ...activate, timeoutSeconds: 60 }, null, [{ format: "plist" }])?.activate(
        unit,
        soon(),
      ),
    ).rejects.toMatchObject({
      code: "ACTIVATION_FAILED",
      message: expect.stringContaining("ended with 5") as string,
    });
  });

  it("that does not exist is named with the setting", async () => {
    rmSync(plist);
    await expect(restarting.prepare(unit, soon())).rejects.toMatchObject({ code: "TARGET_MISSING" });
  });
});

it("a host without launchctl says so", async () => {
  const bare = new LocalHost({ environment: { HOME: home, PATH: "/usr/bin:/bin" } });
  const activator = createHostActivator(bare, activate, null) ?? fail("no activator");
  await expect(activator.prepare(unit, soon())).rejects.toMatchObject({ code: "UNSUPPORTED" });
});

it.each([
  [{ launchd: "com.example.app; rm" }],
  [{ launchd: "-k" }],
  [{ launchd: "gui/501/com.example.app" }],
  [{ launchd: "com.example.app", systemd: "app.service" }],
  [{ signal: { name: "KILL", unit: "app.service" } }],
  [{ signal: { name: "HUP" } }],
  [{ signal: { unit: "app.service", pidFile: "/run/app.pid" } }],
  [{ signal: { pidFile: "relative" } }],
])("%j is not a configuration", (raw) => {
  expect(activateSchema.safeParse(raw).success).toBe(false);
});

function fail(what: string): never {
  throw new Error(what);
}
