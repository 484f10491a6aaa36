import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "plist";
import { describe, expect, it } from "vitest";
import { planService } from "../../../src/edges/agent/install/install-agent.ts";
import { buildLaunchdJob } from "../../../src/edges/agent/install/launchd-job.ts";
import type { ServiceOptions } from "../../../src/edges/agent/install/service.ts";
import { buildSystemdUnit, SYSTEMD_UNIT } from "../../../src/edges/agent/install/systemd-unit.ts";
import { NO_POLICY, parsePolicy } from "../../../src/edges/agent/policy/policy.ts";
import { lacks } from "../../support/servers.ts";

const policy = parsePolicy(
  "files: [/etc/app/env, /etc/app/*, /srv/it's 100%/env, ~/app/.env]\nunits: [app.service]\n",
  "policy.yaml",
);
const root: ServiceOptions = {
  scope: "system",
  program: [process.execPath, "/opt/lockstep/dist/main.js", "agent", "run"],
  home: "/root",
  user: null,
  stateDirectory: "/var/lib/lockstep-agent",
  policy,
};
const quiet: ServiceOptions = { ...root, policy: parsePolicy("files: [/etc/app/env]\n", "p") };
const asUser: ServiceOptions = { ...root, user: "daemon", home: "/home/app" };
const session: ServiceOptions = { ...root, scope: "user", home: "/home/app" };
const cases: readonly [string, ServiceOptions][] = [
  ["root", root],
  ["a user that restarts nothing", { ...asUser, policy: quiet.policy }],
  ["a user with sudo", asUser],
  ["a session", session],
];

describe("the systemd unit", () => {
  it("may write exactly the policy's directories and its own", () => {
    const written = buildSystemdUnit(root)
      .content.split("\n")
      .filter((line) => line.startsWith("ReadWritePaths="));
    expect(written).toEqual([
      "ReadWritePaths=-/etc/app",
      "ReadWritePaths=-/root/.lockstep",
      "ReadWritePaths=-/root/app",
      `ReadWritePaths="-/srv/it's 100%%"`,
      "ReadWritePaths=-/var/lib/lockstep-agent",
    ]);
  });

  it.each(cases)("of %s dumps no core, makes closed files, and is started for ever", (_who, options) => {
    const { content, mode } = buildSystemdUnit(options);
    for (const line of ["LimitCORE=0", "UMask=0077", "Restart=always", "StartLimitIntervalSec=0"]) {
      expect(content.split("\n")).toContain(line);
    }
    expect(content).not.toMatch(/^Environment=.*(?:TOKEN|SECRET|KEY)/m);
    expect(mode).toBe(0o644);
  });

  it("gains no privileges unless sudo must, which is then said", () => {
    expect(buildSystemdUnit(root).content).toContain("NoNewPrivileges=yes\n");
    expect(buildSystemdUnit(session).content).toContain("NoNewPrivileges=yes\n");
    const { content, remarks } = buildSystemdUnit(asUser);
    expect(content).not.toMatch(/NoNewPrivileges|SystemCallFilter|RestrictSUIDSGID/);
    expect(remarks.join()).toContain("sudo");
  });

  it("needs no sudo for units of its own user, and sees where that user's manager listens", () => {
    const own = parsePolicy("units: [{ unit: app.service, user: true }]\n", "p");
    // This Node may itself be below a home, which then is seen anyway.
    const elsewhere = { ...asUser, home: "/var/lib/app", stateDirectory: "/var/lib/app/state" };
    const program = ["/usr/bin/node", "/opt/main.js"] as const;
    const { content, remarks } = buildSystemdUnit({ ...elsewhere, program, policy: own });
    expect(content).toContain("NoNewPrivileges=yes\n");
    expect(content).toContain("ProtectHome=read-only\n");
    const ofSystem = { ...elsewhere, program, policy: parsePolicy("units: [app.service]\n", "p") };
    expect(buildSystemdUnit(ofSystem).content).toContain("ProtectHome=yes\n");
    expect(remarks.join()).not.toContain("sudo");
    expect(remarks.join()).toContain(`loginctl enable-linger ${asUser.user}`);
    expect(buildSystemdUnit({ ...root, policy: own }).remarks.join()).toContain("runs as root refuses");
    expect(buildSystemdUnit(root).remarks.join()).not.toMatch(/enable-linger|as root refuses/);
  });

  it("makes no namespace in which root's files would be nobody's", () => {
    expect(buildSystemdUnit(root).content).not.toContain("PrivateUsers");
    expect(buildSystemdUnit(session).content).not.toMatch(
      /PrivateUsers|ProtectSystem|PrivateTmp|ReadWritePaths/,
    );
  });

  it("sees /tmp where the policy says so, and warns of all of /etc", () => {
    const wide = { ...root, policy: parsePolicy("files: [/etc/app.env, /tmp/x/env]\n", "p") };
    expect(buildSystemdUnit(wide).content).toContain("PrivateTmp=no");
    expect(buildSystemdUnit(wide).remarks.join()).toContain("/etc");
    // This Node may itself be below /tmp.
    const elsewhere = { ...quiet, home: "/var/lib/app", program: ["/usr/bin/node", "/opt/main.js"] as const };
    expect(buildSystemdUnit(elsewhere).content).toMatch(/ProtectHome=(?:yes|read-only)\nPrivateTmp=yes/);
  });

  it("quotes what systemd would expand", () => {
    const odd: ServiceOptions = { ...root, program: [process.execPath, '/opt/a "b" $c %d\\/main.js'] };
    expect(buildSystemdUnit(odd).content).toContain('"/opt/a \\"b\\" $$c %%d\\\\/main.js"');
    expect(() => buildSystemdUnit({ ...root, program: ["/a\nExecStartPre=/evil"] })).toThrow(
      /control character/,
    );
    expect(() => buildSystemdUnit({ ...root, user: "a\nb" })).toThrow(/user's name/);
  });

  const skipped = lacks("systemd-analyze");
  it.skipIf(skipped).each(cases)("of %s is one that systemd understands", (_who, options) => {
    withUnit(options, (file) => {
      const { status, stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", file], {
        encoding: "utf8",
      });
      // It also complains of other units of this machine; ours may not be among them.
      expect(stderr.split("\n").filter((line) => line.includes("lockstep"))).toEqual([]);
      expect(status).toBe(0);
    });
  });

  it.skipIf(skipped)("a line that systemd does not know would be found", () => {
    const directory = mkdtempSync(join(tmpdir(), "lockstep-unit-"));
    const file = join(directory, SYSTEMD_UNIT);
    writeFileSync(file, buildSystemdUnit(root).content.replace("LimitCORE=0", "LimitCOR=0"));
    const { stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", file], { encoding: "utf8" });
    rmSync(directory, { recursive: true });
    expect(stderr).toContain("LimitCOR");
  });

  it.skipIf(skipped)("of root is confined well by systemd's own measure", () => {
    withUnit(quiet, (file) => {
      const argv = ["security", "--offline=true", "--threshold=40", "--no-pager", file];
      const { status, stdout } = spawnSync("systemd-analyze", argv, { encoding: "utf8" });
      expect(status, stdout).toBe(0);
    });
  });
});

function withUnit(options: ServiceOptions, use: (file: string) => void): void {
  const directory = mkdtempSync(join(tmpdir(), "lockstep-unit-"));
  try {
    const file = join(directory, SYSTEMD_UNIT);
    writeFileSync(file, buildSystemdUnit(options).content);
    use(file);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

describe("the launchd job", () => {
  it("is a property list that keeps the agent running, without a secret", () => {
    const { content, mode } = buildLaunchdJob(session);
    expect(parse(content)).toEqual({
      Label: "lockstep.agent",
      ProgramArguments: [...root.program],
      EnvironmentVariables: { NODE_ENV: "production", PATH: "/usr/bin:/bin:/usr/sbin:/sbin" },
      RunAtLoad: true,
      KeepAlive: true,
      ThrottleInterval: 10,
      ProcessType: "Background",
      WorkingDirectory: "/",
      Umask: 0o77,
      SoftResourceLimits: { Core: 0 },
      HardResourceLimits: { Core: 0 },
      StandardOutPath: "/var/lib/lockstep-agent/agent.log",
      StandardErrorPath: "/var/lib/lockstep-agent/agent.log",
    });
    expect(mode).toBe(0o600);
  });

  it("of the system is readable, and may name its user", () => {
    const { content, mode } = buildLaunchdJob(asUser);
    expect(parse(content)).toMatchObject({ UserName: "daemon" });
    expect(mode).toBe(0o644);
  });

  it("escapes what XML would take for its own", () => {
    const odd: ServiceOptions = { ...session, program: ["/opt/a & <b>/node"] };
    expect(parse(buildLaunchdJob(odd).content)).toMatchObject({ ProgramArguments: ["/opt/a & <b>/node"] });
    expect(() => buildLaunchdJob({ ...session, program: ["/a\u0000"] })).toThrow(/control character/);
  });

  it.skipIf(lacks("python3"))("is read by Python's plistlib too", () => {
    const script = "import plistlib,sys; print(plistlib.loads(sys.stdin.buffer.read())['Label'])";
    const seen = execFileSync("python3", ["-c", script], {
      input: buildLaunchdJob(session).content,
      encoding: "utf8",
    });
    expect(seen.trim()).toBe("lockstep.agent");
  });
});

it("each platform and scope has its place", () => {
  const place = (options: ServiceOptions, platform: "linux" | "darwin") =>
    planService(options, { platform }).path;
  expect(place(root, "linux")).toBe("/etc/systemd/system/lockstep-agent.service");
  expect(place(session, "linux")).toBe("/home/app/.config/systemd/user/lockstep-agent.service");
  expect(place(root, "darwin")).toBe("/Library/LaunchDaemons/lockstep.agent.plist");
  expect(place(session, "darwin")).toBe("/home/app/Library/LaunchAgents/lockstep.agent.plist");
});

it("without a policy nothing but its own directories is written", () => {
  const content = buildSystemdUnit({ ...root, policy: NO_POLICY }).content;
  expect(content.match(/^ReadWritePaths=.*/gm)).toEqual([
    "ReadWritePaths=-/root/.lockstep",
    "ReadWritePaths=-/var/lib/lockstep-agent",
  ]);
});
