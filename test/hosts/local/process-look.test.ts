/** What a process was started with, compared where it runs: over this machine itself, in every shell that is there. */
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LocalHost } from "../../../src/adapters/hosts/local/local-host.ts";
import { lookIntoProcess } from "../../../src/adapters/hosts/script/process-look.ts";
import { PROCESS_SCRIPT } from "../../../src/adapters/hosts/script/process-script.ts";
import type {
  ExecOptions,
  ExecResult,
  ScriptTransport,
} from "../../../src/adapters/hosts/script/transport.ts";
import type { ProcessSeen } from "../../../src/core/ports/host.ts";
import { type LivingProcess, startLivingProcess } from "../../support/living-process.ts";
import { soon } from "../../support/ssh-kit.ts";

const CANARY = "canary-7b40-process";
const ODD = {
  PLAIN: CANARY,
  EMPTY: "",
  LINES: "-----BEGIN-----\nA=1\nPLAIN=other\n\n-----END-----\n",
  MARKS: "a=b'c\"d$e`f\\g%h\t!\r*~",
  UNICODE: "ä€😀",
  PLAIN_LONGER: "x".repeat(70_000),
  X3D: "3d=3d",
};
const SHELLS = ["/bin/sh", "/bin/bash", "/bin/ksh", "/bin/busybox"].filter((path) => existsSync(path));

describe.skipIf(process.platform !== "linux")("a look into a process", () => {
  let directory: string;
  let environment: Record<string, string>;
  let nonce: string;
  const living: LivingProcess[] = [];

  beforeEach(() => {
    directory = realpathSync(mkdtempSync(join(tmpdir(), "lockstep-process-")));
    environment = { HOME: directory, PATH: process.env["PATH"] ?? "" };
    nonce = randomBytes(32).toString("hex");
  });
  afterEach(async () => {
    for (const one of living.splice(0)) await one.end();
    rmSync(directory, { recursive: true });
  });

  const digestOf = (value: string) => createHash("sha256").update(nonce).update(value).digest("hex");
  const host = () => new LocalHost({ environment });

  async function start(values: Readonly<Record<string, string>>): Promise<string> {
    const one = await startLivingProcess(values);
    living.push(one);
    return pidFile(String(one.pid));
  }

  function pidFile(text: string): string {
    const path = join(directory, `pid-${readdirSync(directory).length}`);
    writeFileSync(path, `${text}\n`, { mode: 0o600 });
    return path;
  }

  const ask = (path: string, keys: readonly string[], on = host()): Promise<ProcessSeen> =>
    on.lookIntoProcess({ process: { kind: "pid-file", path }, keys, nonce }, soon());

  /** A `systemctl` that answers these lines, one text per call, the last one ever after. */
  function systemctl(...answers: readonly string[]): void {
    for (const [at, text] of answers.entries()) writeFileSync(join(directory, `answer-${at}`), text);
    const last = answers.length - 1;
    const program = `#!/bin/sh\ncd ${directory}\nn=$(cat calls 2>/dev/null || echo 0)\necho $((n + 1)) >calls\n[ $n -lt ${last} ] || n=${last}\ncat answer-$n\n`;
    writeFileSync(join(directory, "systemctl"), program);
    chmodSync(join(directory, "systemctl"), 0o755);
    environment["PATH"] = `${directory}:${environment["PATH"]}`;
  }

  const askUnit = (
    keys: readonly string[] = ["A"],
    kind: "systemd" | "systemd-user" = "systemd",
  ): Promise<ProcessSeen> =>
    host().lookIntoProcess({ process: { kind, unit: "app.service" }, keys, nonce }, soon());

  const runs = (pid: number) => `LoadState=loaded\nActiveState=active\nMainPID=${pid}\n`;

  /** A `systemctl` that knows the unit under `--user` alone, and only with the variables by which that is found. */
  function userSystemctl(answer: string): void {
    const program = [
      "#!/bin/sh",
      `[ "$1" = --user ] && [ "$2" = show ] || exit 1`,
      `[ "$XDG_RUNTIME_DIR" = "/run/user/$(id -u)" ] || exit 1`,
      `[ "$DBUS_SESSION_BUS_ADDRESS" = "unix:path=$XDG_RUNTIME_DIR/bus" ] || exit 1`,
      answer,
    ];
    writeFileSync(join(directory, "systemctl"), `${program.join("\n")}\n`);
    chmodSync(join(directory, "systemctl"), 0o755);
    environment["PATH"] = `${directory}:${environment["PATH"]}`;
  }

  it("finds the process of a user's unit by that user's manager, and not as the system's", async () => {
    await start({ A: CANARY });
    userSystemctl(`printf '${runs(living[0]?.pid ?? 0).replaceAll("\n", "\\n")}'`);
    const seen = await askUnit(["A"], "systemd-user");
    expect(seen).toMatchObject({ state: "seen", life: { pid: living[0]?.pid } });
    expect(seen.state === "seen" ? seen.digests.get("A") : null).toBe(digestOf(CANARY));
    await expect(askUnit()).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });

  it("says of a user's manager that does not run what lets it run", async () => {
    userSystemctl("echo 'Failed to connect to bus: No such file or directory' >&2; exit 1");
    expect(await askUnit(["A"], "systemd-user")).toMatchObject({
      state: "cannot-tell",
      reason: expect.stringMatching(/manager of the user does not run.*loginctl enable-linger/),
    });
    userSystemctl("echo 'Failed to connect to bus: Permission denied' >&2; exit 1");
    await expect(askUnit(["A"], "systemd-user")).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });

  it("answers the digest of each value, whatever its bytes, and leaves out what was not given", async () => {
    const path = await start(ODD);
    const keys = [...Object.keys(ODD), "MISSING", "PLAI"];
    const seen = await ask(path, keys);
    expect(seen).toMatchObject({ state: "seen", life: { pid: living[0]?.pid } });
    const digests = seen.state === "seen" ? Object.fromEntries(seen.digests) : {};
    expect(digests).toEqual(
      Object.fromEntries(Object.entries(ODD).map(([key, value]) => [key, digestOf(value)])),
    );
  });

  it("knows bytes that are no text", async () => {
    const script = `RAW="$(printf '\\377\\001\\200\\n\\376.')"; export RAW; exec /bin/sleep 600`;
    const child = spawn("/bin/sh", ["-c", script], { env: {}, stdio: "ignore" });
    living.push({
      pid: child.pid ?? 0,
      end: async () => {
        const exit = once(child, "exit");
        child.kill("SIGKILL");
        await exit;
      },
    });
    const path = pidFile(String(child.pid));
    const bytes = Buffer.from([0xff, 0x01, 0x80, 0x0a, 0xfe, 0x2e]);
    const wanted = createHash("sha256").update(nonce).update(bytes).digest("hex");
    await expect
      .poll(async () => {
        const seen = await ask(path, ["RAW"]);
        return seen.state === "seen" ? seen.digests.get("RAW") : seen.state;
      })
      .toBe(wanted);
  });

  it("has the same life while it lives, and another after a restart", async () => {
    const path = await start({ A: "1" });
    const first = await ask(path, []);
    expect(await ask(path, [])).toEqual(first);
    await living[0]?.end();
    expect(await ask(path, ["A"])).toEqual({ state: "none" });
    const other = await ask(await start({ A: "1" }), []);
    expect(other).not.toEqual(first);
  });

  it("sends nothing that holds a value, and gets no value back", async () => {
    const path = await start({ A: CANARY });
    const said: string[] = [];
    const spy: ScriptTransport = {
      label: "spy",
      exec: async (command, options) => {
        const result = await local(command, options);
        said.push(result.stdout.toString("latin1"), result.stderr.toString("latin1"), command);
        return result;
      },
    };
    const look = { process: { kind: "pid-file", path }, keys: ["A"], nonce } as const;
    expect(await lookIntoProcess(spy, look, soon())).toMatchObject({ state: "seen" });
    expect(said.join("")).not.toContain(CANARY);
    expect(said.join("")).not.toContain(Buffer.from(CANARY).toString("hex"));
    expect(said.at(-1)).not.toContain(nonce);
  });

  for (const shell of SHELLS)
    for (const [name, script] of Object.entries(lacking()))
      it(`works in ${shell} ${name}`, async () => {
        const path = await start({ A: ODD.MARKS, B: ODD.LINES });
        const transport = { label: "test", exec: throughShell(shell, script) };
        const look = { process: { kind: "pid-file", path }, keys: ["A", "B", "C"], nonce } as const;
        const seen = await lookIntoProcess(transport, look, soon());
        expect(seen.state === "seen" && [...seen.digests.values()]).toEqual([
          digestOf(ODD.MARKS),
          digestOf(ODD.LINES),
        ]);
      });

  it("cannot tell without any digest tool, and says what to install", async () => {
    const path = await start({ A: "1" });
    const script = Object.values(lacking())
      .reduce((_, last) => last)
      .replaceAll("command -v python3", "command -v no-python3-here");
    const look = { process: { kind: "pid-file", path }, keys: ["A"], nonce } as const;
    const seen = await lookIntoProcess(
      { label: "test", exec: throughShell("/bin/sh", script) },
      look,
      soon(),
    );
    expect(seen).toMatchObject({ state: "cannot-tell", reason: expect.stringContaining("install") });
  });

  it("trusts no pid file that others may change, nor what is none", async () => {
    const path = await start({ A: "1" });
    chmodSync(path, 0o666);
    expect(await ask(path, ["A"])).toMatchObject({
      state: "cannot-tell",
      reason: expect.stringContaining("changed by others"),
    });
    expect(await ask(pidFile("12; id"), ["A"])).toMatchObject({ state: "cannot-tell" });
    expect(await ask(join(directory, "nothing"), ["A"])).toEqual({ state: "none" });
  });

  it("finds a unit's main process, and none where it is stopped", async () => {
    await start({ A: "1" });
    systemctl(runs(living[0]?.pid ?? 0));
    const seen = await askUnit();
    expect(seen.state === "seen" && seen.digests.get("A")).toBe(digestOf("1"));
    systemctl("LoadState=loaded\nActiveState=inactive\nMainPID=0\n");
    expect(await askUnit()).toEqual({ state: "none" });
    systemctl("LoadState=not-found\nActiveState=inactive\nMainPID=0\n");
    await expect(askUnit()).rejects.toMatchObject({ code: "TARGET_MISSING" });
  });

  it("looks once more when the process was replaced under its eyes, and then says so", async () => {
    await start({ A: "1" });
    await start({ A: "2" });
    const [one = 0, two = 0] = living.map(({ pid }) => pid);
    systemctl(runs(one), runs(two));
    const seen = await askUnit();
    expect(seen.state === "seen" && seen.digests.get("A")).toBe(digestOf("2"));
    rmSync(join(directory, "calls"));
    systemctl(runs(one), runs(two), runs(one), runs(two));
    expect(await askUnit()).toMatchObject({ state: "changing" });
    systemctl("LoadState=loaded\nActiveState=activating\nMainPID=0\n");
    expect(await askUnit()).toEqual({ state: "changing", reason: "the unit is activating" });
  });

  it.runIf(process.getuid?.() === 0 && existsSync("/bin/setpriv"))(
    "says whose process it is when it may not look",
    async () => {
      const path = await start({ A: "1" });
      chmodSync(directory, 0o755);
      chmodSync(path, 0o644);
      const asNobody = ["/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/bin/sh"];
      const transport = { label: "test", exec: through(asNobody) };
      const look = { process: { kind: "pid-file", path }, keys: ["A"], nonce } as const;
      expect(await lookIntoProcess(transport, look, soon())).toMatchObject({
        state: "cannot-tell",
        reason: expect.stringContaining("belongs to the user with id 0"),
      });
    },
  );

  /** One digest tool less each. */
  function lacking(): Record<string, string> {
    const scripts: Record<string, string> = { "with everything": PROCESS_SCRIPT };
    let script = PROCESS_SCRIPT;
    for (const tool of ["sha256sum", "shasum", "openssl"]) {
      script = script.replaceAll(`command -v ${tool}`, `command -v no-${tool}-here`);
      scripts[`without ${tool}`] = script;
    }
    return scripts;
  }

  const local = (command: string, options: ExecOptions) => through(["/bin/sh"])(command, options);

  function throughShell(shell: string, script: string): ScriptTransport["exec"] {
    const words = shell.endsWith("busybox") ? [shell, "sh"] : [shell];
    return (command, { input, ...options }) =>
      through(["/bin/sh"])(command.replace("/bin/sh", words.join(" ")), {
        ...options,
        input: Buffer.from(
          Buffer.from(input)
            .toString()
            .replace(PROCESS_SCRIPT, () => script),
        ),
      });
  }

  function through([program = "", ...words]: readonly string[]): ScriptTransport["exec"] {
    return async (command, { input }): Promise<ExecResult> => {
      const child = spawn(program, [...words, "-c", command], { env: environment });
      const chunks: Buffer[] = [];
      child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
      child.stdin.on("error", () => undefined);
      child.stdin.end(input);
      const [exitCode] = (await once(child, "close")) as [number | null];
      return {
        end: "exited",
        exitCode,
        stdout: Buffer.concat(chunks),
        stderr: Buffer.alloc(0),
        truncated: false,
      };
    };
  }
});
