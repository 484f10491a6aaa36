import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { whyNoUserManager } from "../../src/adapters/hosts/script/user-manager.ts";
import { createHostActivator } from "../../src/adapters/placements/activation/activator.ts";
import {
  activateSchema,
  healthSchema,
  provenBy,
  unitOf,
} from "../../src/adapters/placements/activation/config.ts";
import { remarksOn } from "../../src/adapters/placements/activation/remarks.ts";
import { processOf } from "../../src/adapters/placements/running/environment.ts";
import { parseSsh, readConfig } from "../../src/adapters/targets/ssh/config.ts";
import { probe } from "../../src/adapters/targets/ssh/probe.ts";
import type { LockstepError } from "../../src/core/errors.ts";
import type { ActivationProgress, Activator } from "../../src/core/ports/activator.ts";
import { type FakeSystemctl, makeFakeSystemctl, RESTARTS, RUNNING } from "../support/fake-systemctl.ts";
import { lacks } from "../support/servers.ts";
import { type SshKit, soon, startSshKit } from "../support/ssh-kit.ts";

const activate = activateSchema.parse({ systemd: "app.service" });
const unit = unitOf(activate, "ssh:host:22", "host", "deploy");
const userActivate = activateSchema.parse({ systemd: { unit: "app.service", user: true } });
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

  describe("of the user that logs in", () => {
    const NO_MANAGER = "Failed to connect to bus: No such file or directory";
    let ofUser: Activator;

    beforeAll(() => {
      ofUser = createHostActivator(kit.host, userActivate, null) ?? fail("no activator");
    });
    beforeEach(() => {
      // The system's unit of the same name is another one, and is not there.
      systemctl.set({ ...RUNNING, LoadState: "not-found", ActiveState: "inactive" });
      systemctl.set(RUNNING, "user");
      systemctl.stopUserManager(null);
      systemctl.setLinger("yes");
    });

    const tested = async () => {
      const { user, host, hostKey } = kit.sshd;
      const { config } = parseSsh({
        ssh: { host, user, hostKey },
        files: [{ path: "~/app/env", format: "dotenv" }],
        activate: { systemd: { unit: "app.service", user: true } },
      });
      const { checks } = await probe(kit.host, readConfig(config), soon());
      return new Map(checks.map((check) => [check.name, check]));
    };

    it("is restarted by that user's manager, found without a login's variables and without sudo", async () => {
      expect(await ofUser.prepare(unit, soon())).toEqual({ knownIds: [BEFORE], dormant: false });
      const { id } = await ofUser.activate(unit, soon());
      expect(id).not.toBe(BEFORE);
      expect(await follow(ofUser)).toEqual({ state: "succeeded", id, incarnation: { invocation: id } });
      expect(systemctl.calls()).toContain("--user restart -- app.service");
      const directory = `/run/user/${process.getuid?.()}`;
      expect(systemctl.userVariables()).toBe(`${directory} unix:path=${directory}/bus`);
      await expect(activator.prepare(unit, soon())).rejects.toMatchObject({ code: "TARGET_MISSING" });
    });

    it("whose failed restart is told with the user's own journal", async () => {
      systemctl.onRestart("echo canary-from-the-host >&2; exit 1");
      const error = await ofUser.activate(unit, soon()).catch((failure: unknown) => failure);
      expect(error).toMatchObject({ code: "ACTIVATION_FAILED" });
      expect((error as LockstepError).message).toContain("app.service (user)");
      expect((error as LockstepError).hint).toContain("journalctl --user -u app.service");
      expect((error as LockstepError).hint).not.toContain("sudo");
    });

    it("whose manager does not run is told with the remedy, at each step", async () => {
      systemctl.stopUserManager(NO_MANAGER);
      const { user } = kit.sshd;
      for (const step of [
        () => ofUser.prepare(unit, soon()),
        () => ofUser.activate(unit, soon()),
        () => follow(ofUser),
      ])
        await expect(step()).rejects.toMatchObject({
          code: "TARGET_MISSING",
          message: expect.stringContaining(`the systemd manager of ${user} does not run`),
          hint: expect.stringContaining(`loginctl enable-linger ${user} (as root: sudo loginctl`),
        });
    });

    it("whose session leads to another user's manager is told so", async () => {
      systemctl.stopUserManager("Failed to connect to bus: Permission denied");
      await expect(ofUser.prepare(unit, soon())).rejects.toMatchObject({ code: "TARGET_PERMISSION" });
    });

    it("that the manager does not have is not taken for the system's", async () => {
      systemctl.set(RUNNING);
      systemctl.set({ ...RUNNING, LoadState: "not-found", ActiveState: "inactive" }, "user");
      await expect(ofUser.prepare(unit, soon())).rejects.toMatchObject({
        code: "TARGET_MISSING",
        hint: expect.stringContaining("systemctl --user list-unit-files"),
      });
    });

    it("passes `target test` where the user lingers, and needs no sudo there", async () => {
      const checks = await tested();
      expect(checks.get("restart app.service (user)")).toMatchObject({ ok: true });
      expect(checks.get("linger")).toMatchObject({ ok: true });
    });

    it.each(["no", null] as const)(
      "fails `target test` where linger is %s: it ends at the logout",
      async (said) => {
        systemctl.setLinger(said);
        const checks = await tested();
        expect(checks.get("restart app.service (user)")).toMatchObject({ ok: true });
        expect(checks.get("linger")).toMatchObject({ ok: false });
        expect(checks.get("linger")?.message).toContain("ends with the last login");
        expect(checks.get("linger")?.message).toContain(`loginctl enable-linger ${kit.sshd.user}`);
      },
    );

    it("fails `target test` where the manager does not run", async () => {
      systemctl.stopUserManager(NO_MANAGER);
      const check = (await tested()).get("restart app.service (user)");
      expect(check).toMatchObject({ ok: false });
      expect(check?.message).toMatch(/does not run.*loginctl enable-linger/);
    });
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
    [{ systemd: { unit: "app.service" } }],
    [{ systemd: { unit: "app.service", user: false } }],
    [{ systemd: { unit: "app", user: true } }],
    [{ systemd: { unit: "app.service", user: "deploy" } }],
    [{ systemd: { unit: "app.service", user: true, shell: true } }],
    [{ systemd: { unit: "app.service", user: true }, launchd: "com.example.app" }],
    [{ systemd: ["app.service"] }],
    [{ systemd: "app.service", shell: true }],
  ])("refuses %j", (raw) => {
    expect(activateSchema.safeParse(raw).success).toBe(false);
  });

  it.each([
    ["app", "must be a full unit name such as app.service"],
    [7, "must be a full unit name such as app.service, or { unit: app.service, user: true }"],
    [null, "must be a full unit name such as app.service, or { unit: app.service, user: true }"],
    [{ unit: "app", user: true }, "must be a full unit name such as app.service"],
    [{ user: true }, "has a wrong `unit`: it is missing"],
    [{ unit: "app.service" }, "has a wrong `user`: it must be true: a unit of the system is its name alone"],
    [
      { unit: "app.service", user: false },
      "has a wrong `user`: it must be true: a unit of the system is its name alone",
    ],
  ])("says of `systemd: %j` what is wrong with it", (systemd, words) => {
    expect(activateSchema.safeParse({ systemd }).error?.issues[0]?.message).toBe(words);
  });

  it("tells a user's unit from the system's, and from another user's, by their ids", () => {
    expect(unit).toMatchObject({
      key: "ssh:host:22:systemd:app.service",
      kind: "systemd",
      name: "app.service on host",
    });
    const own = unitOf(userActivate, "ssh:host:22", "host", "deploy");
    expect(own).toMatchObject({
      key: "ssh:host:22:systemd-user:deploy/app.service",
      name: "app.service (user) on host",
    });
    expect(unitOf(userActivate, "ssh:host:22", "host", "other").key).not.toBe(own.key);
  });

  it("proves of a user's unit what it proves of the system's", () => {
    const timer = activateSchema.parse({ systemd: { unit: "app.timer", user: true } });
    expect([provenBy(userActivate), provenBy(timer)]).toEqual(["deployed", "stored"]);
    expect(remarksOn(timer, null, [])).toMatchObject([{ path: ["activate", "systemd"] }]);
    expect(processOf(userActivate)).toEqual({
      named: true,
      process: { kind: "systemd-user", unit: "app.service" },
    });
  });
});

it.each([
  ["Failed to connect to bus: No such file or directory", "not-running"],
  ["Failed to connect to bus: No medium found", "not-running"],
  ["Failed to connect to bus: $DBUS_SESSION_BUS_ADDRESS and $XDG_RUNTIME_DIR not defined", "not-running"],
  ["Failed to connect to user scope bus via local transport: Connection refused", "not-running"],
  ["Failed to get D-Bus connection: No such file or directory", "not-running"],
  ["Failed to connect to bus: Permission denied", "not-allowed"],
  ["Failed to connect to bus: Operation not permitted", "not-allowed"],
  ["Failed to restart app.service: Unit app.service not found.", null],
  ["Job for app.service failed because the control process exited with error code.", null],
  ["sh: systemctl: not found", null],
  ["", null],
])("hears in `%s` of a user's manager: %s", (stderr, why) => {
  expect(whyNoUserManager(stderr)).toBe(why);
});

function fail(what: string): never {
  throw new Error(what);
}
