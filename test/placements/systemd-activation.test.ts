import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createHostActivator } from "../../src/adapters/placements/activation/activator.ts";
import { activateSchema, healthSchema, unitOf } from "../../src/adapters/placements/activation/config.ts";
import type { ActivationProgress, Activator } from "../../src/core/ports/target.ts";
import { type FakeSystemctl, makeFakeSystemctl, RESTARTS, RUNNING } from "../support/fake-systemctl.ts";
import { lacks } from "../support/servers.ts";
import { type SshKit, soon, startSshKit } from "../support/ssh-kit.ts";

const activate = activateSchema.parse({ systemd: "app.service" });
const unit = unitOf(activate, "ssh:host:22", "host");
const BEFORE = RUNNING.InvocationID;

describe.skipIf(lacks("sshd"))("a systemd unit, restarted over SSH", () => {
  let kit: SshKit;
  let systemctl: FakeSystemctl;
  let activator: Activator;

  const home = mkdtempSync(join(tmpdir(), "lockstep-systemctl-"));

  beforeAll(async () => {
    systemctl = makeFakeSystemctl(home);
    kit = await startSshKit({ lines: [`SetEnv PATH=${systemctl.directory}:/usr/local/bin:/usr/bin:/bin`] });
    activator = createHostActivator(kit.host, activate, null) ?? fail("no activator");
  });
  afterAll(async () => {
    await kit.stop();
    rmSync(home, { recursive: true });
  });
  beforeEach(() => {
    systemctl.set(RUNNING);
    systemctl.onRestart(RESTARTS);
  });

  async function follow(from: Activator = activator, requestedAgoMs = 0): Promise<ActivationProgress> {
    const asked = { unit, id: null, knownIds: [BEFORE], requestedAgoMs, expected: [] };
    const [progress] = await from.follow([asked], soon());
    return progress ?? fail("no progress");
  }

  it("is a new invocation afterwards, and the known one before", async () => {
    expect(await activator.prepare(unit, soon())).toEqual({ knownIds: [BEFORE], dormant: false });
    expect(await follow()).toMatchObject({ state: "not-started" });
    const { id } = await activator.activate(unit, soon());
    expect(id).not.toBe(BEFORE);
    expect(await follow()).toEqual({ state: "succeeded", id, incarnation: { invocation: id } });
    expect(systemctl.calls()).toContain("restart -- app.service");
  });

  it("stopped on purpose is not woken", async () => {
    systemctl.set({ ...RUNNING, ActiveState: "inactive", SubState: "dead" });
    expect((await activator.prepare(unit, soon())).dormant).toBe(true);
  });

  it("that failed before is tried: a new value may be what it lacked", async () => {
    systemctl.set({ ...RUNNING, ActiveState: "failed", SubState: "failed", Result: "exit-code" });
    expect((await activator.prepare(unit, soon())).dormant).toBe(false);
  });

  it("that does not exist is named with the setting", async () => {
    systemctl.set({ ...RUNNING, LoadState: "not-found", ActiveState: "inactive" });
    await expect(activator.prepare(unit, soon())).rejects.toMatchObject({ code: "TARGET_MISSING" });
  });

  it.each([
    ["exit 1", "ACTIVATION_FAILED"],
    ["echo 'sudo: a password is required' >&2; exit 1", "TARGET_PERMISSION"],
    ["echo 'Failed to restart app.service: Access denied' >&2; exit 4", "TARGET_PERMISSION"],
    ["echo canary-from-the-host >&2; exit 1", "ACTIVATION_FAILED"],
  ])("whose restart ends with `%s` gives %s, and the host's words stay there", async (script, code) => {
    systemctl.onRestart(script);
    const error: unknown = await activator.activate(unit, soon()).catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code });
    expect(JSON.stringify(error) + String(error)).not.toContain("canary");
  });

  it.each([
    [{ ActiveState: "failed", SubState: "failed", Result: "exit-code" }, "failed"],
    [{ ActiveState: "activating", SubState: "auto-restart", Result: "exit-code" }, "failed"],
    [{ ActiveState: "activating", SubState: "start", Result: "success" }, "running"],
    [{ ActiveState: "inactive", SubState: "dead", Result: "success" }, "failed"],
    [{ ActiveState: "something-new", SubState: "x", Result: "y" }, "failed"],
  ])("in %j is %s, never a success", async (state, progress) => {
    systemctl.set({ ...RUNNING, ...state, InvocationID: "0000000000000000000000000000000b" });
    expect((await follow()).state).toBe(progress);
  });

  it("is healthy only when its check says so, and failed when that takes too long", async () => {
    const flag = join(systemctl.directory, "healthy");
    const health = healthSchema.parse({ command: ["/usr/bin/test", "-e", flag], withinSeconds: 5 });
    const checked = createHostActivator(kit.host, activate, health) ?? fail("no activator");
    systemctl.set({ ...RUNNING, InvocationID: "0000000000000000000000000000000b" });
    expect(await follow(checked)).toMatchObject({
      state: "running",
      reason: "its health check ended with 1",
    });
    expect(await follow(checked, 5_000)).toMatchObject({ state: "failed" });
    writeFileSync(flag, "");
    expect(await follow(checked, 5_000)).toMatchObject({ state: "succeeded" });
  });
});

describe("the configuration of what restarts", () => {
  it.each([
    [{}],
    [{ systemd: "app.service", command: ["/bin/true"] }],
    [{ systemd: "app" }],
    [{ systemd: "-app.service" }],
    [{ systemd: "../app.service" }],
    [{ systemd: "app.service; rm -rf /" }],
    [{ command: ["relative"] }],
    [{ command: [] }],
    [{ command: ["/bin/sh", "two\nlines"] }],
    [{ systemd: "app.service", timeoutSeconds: 0 }],
    [{ systemd: "app.service", shell: true }],
  ])("refuses %j", (raw) => {
    expect(activateSchema.safeParse(raw).success).toBe(false);
  });
});

function fail(what: string): never {
  throw new Error(what);
}
