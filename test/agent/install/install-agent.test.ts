import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type InstallContext,
  installAgent,
  uninstallAgent,
} from "../../../src/edges/agent/install/install-agent.ts";
import type { ServiceOptions } from "../../../src/edges/agent/install/service.ts";
import { NO_POLICY } from "../../../src/edges/agent/policy/policy.ts";
import { type FakeLaunchctl, makeFakeLaunchctl } from "../../support/fake-launchctl.ts";

let home: string;
let said: string[];
let ran: string[];
let options: ServiceOptions;

beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), "lockstep-install-")));
  said = [];
  ran = [];
  options = {
    scope: "user",
    program: ["/bin/sleep", "600"],
    home,
    user: null,
    stateDirectory: join(home, "state"),
    policy: NO_POLICY,
  };
});
afterEach(() => rmSync(home, { recursive: true }));

const context = (exitCode: number | null = 0): InstallContext => ({
  platform: "linux",
  uid: process.getuid?.() ?? 0,
  run: async (argv) => {
    ran.push(argv.join(" "));
    return { exitCode };
  },
  say: (line) => said.push(line),
});
const unit = () => join(home, ".config/systemd/user/lockstep-agent.service");

describe("installing with systemd", () => {
  it("writes, enables and starts, and says each step", async () => {
    await installAgent(options, context());
    expect(ran).toEqual([
      "systemctl --user daemon-reload",
      "systemctl --user enable lockstep-agent.service",
      "systemctl --user restart lockstep-agent.service",
    ]);
    for (const step of ran) expect(said).toContain(step);
    expect(said[0]).toBe(`write ${unit()}`);
    expect(statSync(unit()).mode & 0o777).toBe(0o644);
    for (const own of ["state", ".lockstep"]) expect(statSync(join(home, own)).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(home, ".config/systemd/user"))).toEqual(["lockstep-agent.service"]);
  });

  it("again restarts nothing and writes nothing", async () => {
    await installAgent(options, context());
    const before = statSync(unit());
    ran = [];
    await installAgent(options, context());
    expect(ran).toEqual([
      "systemctl --user enable lockstep-agent.service",
      "systemctl --user start lockstep-agent.service",
    ]);
    expect(statSync(unit()).ino).toBe(before.ino);
  });

  it("leaves another's file alone", async () => {
    await installAgent(options, context());
    writeFileSync(unit(), "[Service]\nExecStart=/mine\n");
    const refused = { code: "ALREADY_EXISTS" };
    await expect(installAgent(options, context())).rejects.toMatchObject(refused);
    await expect(uninstallAgent(options, context())).rejects.toMatchObject(refused);
    expect(readFileSync(unit(), "utf8")).toContain("/mine");
  });

  it.each([[1], [null]])("that fails (%j) names the step", async (exitCode) => {
    await expect(installAgent(options, context(exitCode))).rejects.toMatchObject({
      code: "ACTIVATION_FAILED",
      message: expect.stringContaining("systemctl --user daemon-reload") as string,
    });
  });

  it("for the whole system needs root, and says so before anything is written", async () => {
    const foreign = { ...context(), uid: 1000 };
    await expect(installAgent({ ...options, scope: "system" }, foreign)).rejects.toMatchObject({
      code: "TARGET_PERMISSION",
    });
    expect([said, ran]).toEqual([[], []]);
  });

  it("is undone by uninstalling, which may be repeated", async () => {
    await installAgent(options, context());
    ran = [];
    await uninstallAgent(options, context());
    expect(ran).toEqual([
      "systemctl --user disable --now lockstep-agent.service",
      "systemctl --user daemon-reload",
    ]);
    expect(existsSync(unit())).toBe(false);
    ran = [];
    await uninstallAgent(options, context());
    expect(ran).toEqual([]);
    expect(said.at(-1)).toContain("nothing is installed");
  });
});

describe("installing with launchd", () => {
  let launchctl: FakeLaunchctl;
  let mac: InstallContext;
  const target = () => `gui/${process.getuid?.() ?? 0}/lockstep.agent`;
  beforeEach(() => {
    launchctl = makeFakeLaunchctl(home);
    mac = {
      ...context(),
      platform: "darwin",
      run: async ([, ...words]) => ({
        exitCode: spawnSync(join(launchctl.directory, "launchctl"), words, { stdio: "ignore" }).status,
      }),
    };
  });
  afterEach(() => launchctl.stop());

  it("starts a process, keeps it when repeated, starts another when the job changed, and ends it", async () => {
    const { path } = await installAgent(options, mac);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const first = launchctl.pidOf(target());
    expect(first).not.toBeNull();
    await installAgent(options, mac);
    expect(launchctl.pidOf(target())).toBe(first);
    launchctl.drains(2);
    await installAgent({ ...options, program: ["/bin/sleep", "601"] }, mac);
    expect(launchctl.pidOf(target())).not.toBe(first);
    await uninstallAgent(options, mac);
    expect([launchctl.pidOf(target()), existsSync(path)]).toEqual([null, false]);
    await uninstallAgent(options, mac);
  });
});
