/**
 * `agent upgrade` on a machine with a service: the built program in two releases, real processes, a stand-in for systemctl
 * that starts what the unit names, and a server that may offer anything.
 */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { newKeys } from "../../../src/edges/agent/identity/identity.ts";
import { createAgentProgram } from "../../../src/edges/agent/program.ts";
import type { AgentProgramOptions } from "../../../src/edges/agent/program-options.ts";
import { type AgentKit, reach, SHORT, startAgentKit } from "../../support/agent-kit.ts";
import type { OfferedProgram } from "../../support/agent-server.ts";
import { runCli } from "../../support/cli-kit.ts";

const BUILT = resolve(import.meta.dirname, "../../../dist/agent-program/lockstep-agent.cjs");
const never = new AbortController().signal;

const built = readFileSync(BUILT, "utf8");
const RELEASE = execFileSync(process.execPath, [BUILT, "--version"]).toString().trim();
/** Under another number; `before` runs first. */
const release = (number: string, before = ""): Buffer =>
  Buffer.from(
    built.replaceAll(`"${RELEASE}"`, `"${number}"`).replace('"use strict";', `"use strict";${before}`),
  );

const NEWER = release("9.2.0");
const SYSTEMCTL = `#!/bin/sh
case "$*" in
*" restart "* | *" start "*)
  if [ -f "$HOME/pid" ]; then
    old=$(cat "$HOME/pid")
    kill "$old" 2>/dev/null
    while [ -d "/proc/$old" ] && ! grep -q '^State:.Z' "/proc/$old/status" 2>/dev/null; do sleep 0.02; done
  fi
  eval "set -- $(sed -n 's/^ExecStart=//p' "$HOME/.config/systemd/user/lockstep-agent.service")"
  "$@" >>"$HOME/agent.log" 2>&1 &
  echo $! >"$HOME/pid"
  ;;
esac
`;

describe.skipIf(process.platform !== "linux")("upgrading the agent's program", { timeout: 120_000 }, () => {
  let kit: AgentKit;
  let file: string;
  let said: string[];

  beforeEach(async () => {
    kit = await startAgentKit();
    said = [];
    heard = 0;
    file = join(kit.home, "program", "lockstep-agent.cjs");
    mkdirSync(dirname(file), { mode: 0o700 });
    mkdirSync(join(kit.home, "bin"));
    copyFileSync(BUILT, file);
    writeFileSync(join(kit.home, "bin", "systemctl"), SYSTEMCTL, { mode: 0o755 });
    kit.allow(`files: [${kit.file}]\n`);
    await kit.enrol();
    kit.server.set({ ...kit.content(1, "canary-upgrade"), activate: null, health: null });
    await program().install({ printOnly: false, system: false, node: null, say });
    await reports(RELEASE);
  });
  afterEach(async () => {
    try {
      process.kill(Number(pid()), "SIGKILL");
    } catch {
      // It ended already.
    }
    await kit.dispose();
  });

  const say = (line: string): void => void said.push(line);
  const pid = () => readFileSync(join(kit.home, "pid"), "utf8").trim();
  const program = (more: Partial<AgentProgramOptions> = {}) =>
    createAgentProgram({
      settings: {
        ...kit.settings,
        env: { PATH: `${join(kit.home, "bin")}:${process.env["PATH"]}`, HOME: kit.home },
      },
      version: RELEASE,
      self: [process.execPath, file],
      form: { kind: "file", path: file, runsOn: "node" },
      write: (line) => void kit.said.push(line),
      scrubber: { know: () => undefined, scrub: (text) => text },
      timing: { ...SHORT, reportWithinMs: 60_000 },
      ...more,
    });
  const upgrade = (more: Partial<AgentProgramOptions> = {}, allowOlder = false) =>
    program(more).upgrade({ allowOlder, say }, never);
  /** As `kill -9` at that step leaves the disk. */
  const killedAt = (point: string): Partial<AgentProgramOptions> => ({
    upgradeCheckpoint: async (reached) => {
      if (reached === point) throw new Error("killed");
    },
  });
  const stands = () => execFileSync(process.execPath, [file, "--version"]).toString().trim();
  const names = () => readdirSync(dirname(file)).sort();
  /** The server has heard of one of this release since it was last asked. */
  let heard = 0;
  async function reports(number: string): Promise<void> {
    await reach(
      `a report of ${number}`,
      () => kit.server.reports.slice(heard).some(({ facts }) => facts.version === number),
      [...said, ...kit.said],
    );
    heard = kit.server.reports.length;
  }
  it("takes what the pinned key signed, restarts, and ends once the new one has reported", async () => {
    kit.server.offer({ release: "9.2.0", bytes: NEWER });
    const meanwhile = async (reached: string): Promise<void> => {
      if (reached === "fetched") await expect(upgrade()).rejects.toMatchObject({ code: "AGENT_RUNNING" });
    };
    const ran = await runCli(["agent", "upgrade", "--json"], {
      agent: async () => program({ upgradeCheckpoint: meanwhile }),
    });
    expect(ran.exitCode, ran.stderr).toBe(0);
    expect(ran.json()).toMatchObject({ state: "replaced", from: RELEASE, to: "9.2.0", restarted: true });
    await reports("9.2.0");
    expect([stands(), names()]).toEqual(["9.2.0", ["lockstep-agent.cjs"]]);
    expect(await upgrade()).toMatchObject({ state: "current", restarted: false });
    await expect(upgrade({ form: { kind: "package" } })).rejects.toMatchObject({ code: "UNSUPPORTED" });
    chmodSync(dirname(file), 0o777);
    await expect(upgrade()).rejects.toMatchObject({ code: "FILE_UNSAFE" });
  });

  const changed = Buffer.from(NEWER);
  changed[1_000] = (changed[1_000] ?? 0) ^ 1;
  const attacks: readonly (readonly [
    what: string,
    offer: () => Partial<OfferedProgram>,
    code: string,
    words: string,
  ])[] = [
    [
      "a signature of another key",
      () => ({ signWith: newKeys().signKey }),
      "PROGRAM_REFUSED",
      "not signed by the key",
    ],
    [
      "an offer to another agent",
      () => ({ content: { agentId: crypto.randomUUID() } }),
      "PROGRAM_REFUSED",
      "another agent",
    ],
    [
      "an offer of another store",
      () => ({ content: { storeId: crypto.randomUUID() } }),
      "PROGRAM_REFUSED",
      "another agent",
    ],
    [
      "a copy of an older offer",
      () => ({ content: { nonce: "A".repeat(22) } }),
      "PROGRAM_REFUSED",
      "a copy of an older one",
    ],
    [
      "a message that is no offer",
      () => ({ content: { kind: "bundle" } }),
      "PROGRAM_REFUSED",
      "not signed by the key",
    ],
    ["a changed byte", () => ({ served: changed }), "PROGRAM_REFUSED", "another digest"],
    ["less than was offered", () => ({ served: NEWER.subarray(0, 5_000) }), "PROGRAM_REFUSED", "less than"],
    [
      "more than was offered",
      () => ({ served: Buffer.concat([NEWER, NEWER]) }),
      "PROGRAM_REFUSED",
      "more than",
    ],
    ["a line that is cut", () => ({ cutAt: 5_000 }), "SERVER_UNREACHABLE", "only in part"],
    [
      "an older release",
      () => ({ release: "0.0.9", bytes: release("0.0.9") }),
      "PROGRAM_REFUSED",
      "0.0.9 is older",
    ],
    [
      "what does not start here",
      () => ({ bytes: release("9.2.0", "process.exit(3);") }),
      "PROGRAM_REFUSED",
      "does not start",
    ],
    [
      "another release than was offered",
      () => ({ bytes: release("9.1.0") }),
      "PROGRAM_REFUSED",
      "does not start",
    ],
    ["nothing for this machine", () => ({ content: { files: [] } }), "UNSUPPORTED", "no program for node"],
  ];
  it("refuses everything else with words, runs nothing of it, and the old one still runs", async () => {
    const before = pid();
    for (const [what, offer, code, words] of attacks) {
      kit.server.offer({ release: "9.2.0", bytes: NEWER, ...offer() });
      await expect(upgrade(), what).rejects.toMatchObject({ code, message: expect.stringContaining(words) });
      expect([readFileSync(file, "utf8") === built, names()], what).toEqual([true, ["lockstep-agent.cjs"]]);
    }
    expect(pid()).toBe(before);
    kit.server.offer({ release: "0.0.9", bytes: release("0.0.9") });
    expect(await upgrade({}, true)).toMatchObject({ state: "replaced", to: "0.0.9" });
  });

  it("puts the old one back when the new one does not report, and that one reports again", async () => {
    const silent = release(
      "9.2.0",
      'if (process.argv.includes("run")) { setInterval(() => undefined, 1000); return; }',
    );
    kit.server.offer({ release: "9.2.0", bytes: silent });
    const soon = { timing: { ...SHORT, reportWithinMs: 2_000 } };
    await expect(upgrade(soon)).rejects.toMatchObject({
      code: "UPGRADE_UNDONE",
      message: expect.stringMatching(/did not report within 2 s.*and reports again/),
    });
    await reports(RELEASE);
    expect([stands(), names()]).toEqual([RELEASE, ["lockstep-agent.cjs"]]);
    // Nobody was there to put it back: the next one does, before it asks for anything.
    await expect(upgrade(killedAt("replaced"))).rejects.toThrow("killed");
    expect(stands()).toBe("9.2.0");
    await expect(upgrade(soon)).rejects.toMatchObject({ code: "UPGRADE_UNDONE" });
    expect([stands(), names()]).toEqual([RELEASE, ["lockstep-agent.cjs"]]);
  });

  it("ended by force at each step leaves a program that works, and the next one goes on from there", async () => {
    kit.server.offer({ release: "9.2.0", bytes: NEWER });
    for (const [point, standing] of [
      ["fetched", RELEASE],
      ["kept", RELEASE],
      ["replaced", "9.2.0"],
      ["restarted", "9.2.0"],
    ] as const) {
      await expect(upgrade(killedAt(point)), point).rejects.toThrow("killed");
      expect(stands(), point).toBe(standing);
      writeFileSync(join(dirname(file), ".new-0123456789ab-lockstep-agent.cjs"), "half");
    }
    expect(names()).toContain("lockstep-agent.cjs.before");
    expect(await upgrade()).toMatchObject({ state: "current", to: "9.2.0" });
    await reports("9.2.0");
    expect([stands(), names()]).toEqual(["9.2.0", ["lockstep-agent.cjs"]]);
  });

  it("is taken away without a trace but for values", async () => {
    const value = readFileSync(kit.file, "utf8");
    await expect(program().uninstall({ system: false, purge: true, say })).rejects.toMatchObject({
      code: "AGENT_RUNNING",
    });
    process.kill(Number(pid()), "SIGTERM");
    await reach("its end", () => !existsSync(join(kit.settings.stateDirectory, "lock")), said);
    await program().uninstall({ system: false, purge: true, say });
    for (const gone of [kit.settings.stateDirectory, dirname(file), kit.settings.policyFile ?? ""])
      expect(existsSync(gone), gone).toBe(false);
    expect(existsSync(join(kit.home, ".config/systemd/user/lockstep-agent.service"))).toBe(false);
    expect(readFileSync(kit.file, "utf8")).toBe(value);
    await program().uninstall({ system: false, purge: true, say });
  });
});
