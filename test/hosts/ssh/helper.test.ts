import { createHash } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { SshHostOptions } from "../../../src/adapters/hosts/ssh/ssh-host.ts";
import { lacks } from "../../support/servers.ts";
import { failure, orderOf, type SshKit, soon, startSshKit, until } from "../../support/ssh-kit.ts";

const PERL = "/usr/bin/perl";

interface HelperKit extends SshKit {
  /** Process ids of the helpers that were started, oldest first. */
  started(): readonly number[];
}

describe.skipIf(lacks("sshd") || !existsSync(PERL))("the kept helper on a host", () => {
  const cleanups: (() => Promise<void> | void)[] = [];

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  /** A host whose `perl` is this script; `$log` is a file to say into who was started. */
  async function hostWith(
    perl: string,
    { lines = [], ...options }: SshHostOptions & { readonly lines?: readonly string[] } = {},
  ): Promise<HelperKit> {
    const directory = mkdtempSync(join(tmpdir(), "lockstep-helper-"));
    cleanups.push(() => rmSync(directory, { recursive: true }));
    const log = join(directory, "started");
    const program = (name: string, text: string) => {
      writeFileSync(join(directory, name), `#!/bin/sh\n${text}\n`);
      chmodSync(join(directory, name), 0o755);
      return join(directory, name);
    };
    program("perl", `log=${log}; modules=${directory}/modules; ${perl}`);
    mkdirSync(join(directory, "modules", "Digest"), { recursive: true });
    writeFileSync(join(directory, "modules", "Digest", "SHA.pm"), "die;\n");
    const loginShell = program("shell", `PATH=${directory}:$PATH; export PATH; exec /bin/sh "$@"`);
    const kit = await startSshKit({ loginShell, lines }, options);
    cleanups.push(() => kit.stop());
    return {
      ...kit,
      started: () =>
        existsSync(log) ? readFileSync(log, "utf8").split("\n").filter(Boolean).map(Number) : [],
    };
  }

  const write = (kit: SshKit, text: string, { expected = "absent", generation = 1 } = {}) =>
    kit.host.write(
      join(kit.directory, "env"),
      { content: Buffer.from(text), expectedDigest: expected, order: orderOf(generation), mode: 0o600 },
      soon(),
    );
  const readText = async (kit: SshKit) => {
    const file = await kit.host.read(join(kit.directory, "env"), soon());
    return file.state === "present" ? Buffer.from(file.content).toString() : null;
  };
  const digest = (text: string) => createHash("sha256").update(text).digest("hex");

  const KEPT = `echo $$ >>"$log"; exec ${PERL} "$@"`;

  it("is one process for all that is read and written over a line, and ends with the line", async () => {
    const kit = await hostWith(KEPT);
    await write(kit, "A=1\n");
    await write(kit, "A=2\n", { expected: digest("A=1\n"), generation: 2 });
    expect(await readText(kit)).toBe("A=2\n");
    expect(kit.started()).toHaveLength(1);
    await kit.connections.close();
    await until(() => !isAlive(kit.started()[0]));
  });

  it.each([
    { perl: "that ends at once", text: "exit 1" },
    { perl: "that prints something else and ends", text: "echo usage: perl; exit 0" },
    { perl: "without the module for digests", text: `exec ${PERL} "-Mlib=$modules" "$@"` },
    { perl: "that cannot be started", text: "exec /nowhere/perl" },
  ])("is left out on a host with a Perl $perl: the script does the work", async ({ text }) => {
    const kit = await hostWith(text);
    await write(kit, "A=1\n");
    expect(await readText(kit)).toBe("A=1\n");
  });

  it("is started anew after it was killed between two calls", async () => {
    const kit = await hostWith(KEPT, { aliveMs: 0 });
    await write(kit, "A=1\n");
    process.kill(kit.started()[0] ?? 0, "SIGKILL");
    await write(kit, "A=2\n", { expected: digest("A=1\n"), generation: 2 });
    expect(await readText(kit)).toBe("A=2\n");
    expect(kit.started()).toHaveLength(2);
  });

  it("killed right before a write that was sent without a ping: the outcome is unknown, and read back by a new one", async () => {
    const kit = await hostWith(KEPT, { aliveMs: 60_000 });
    await write(kit, "A=1\n");
    process.kill(kit.started()[0] ?? 0, "SIGKILL");
    const again = write(kit, "A=2\n", { expected: digest("A=1\n"), generation: 2 });
    expect(await failure(again)).toMatchObject({ code: "TARGET_OUTCOME_UNKNOWN" });
    expect(await readText(kit)).toBe("A=1\n");
    expect(kit.started()).toHaveLength(2);
  });

  it("killed in the middle of a write: the outcome is unknown, no lock stays, the write may be repeated", async () => {
    const kit = await hostWith(KEPT);
    await write(kit, "A=1\n");
    const path = join(kit.directory, "env");
    // Whoever holds the lock keeps the helper in the middle of its write.
    const lock = join(kit.sshd.home, ".lockstep", `${digest(path)}.lock`);
    const held = join(kit.directory, "held");
    const release = join(kit.directory, "release");
    const script = `exec 9>"$1"; flock 9; : >"$2"; until [ -e "$3" ]; do sleep 0.05; done`;
    const holder = kit.host.run(
      ["sh", "-c", script, "sh", lock, held, release],
      { timeoutMs: 20_000 },
      soon(),
    );
    await until(() => existsSync(held));
    const written = failure(write(kit, "A=2\n", { expected: digest("A=1\n"), generation: 2 }));
    const pid = kit.started()[0] ?? 0;
    await until(() => opensFile(pid, lock));
    process.kill(pid, "SIGKILL");
    expect(await written).toMatchObject({ code: "TARGET_OUTCOME_UNKNOWN" });
    appendFileSync(release, "");
    await holder;
    expect(await readText(kit)).toBe("A=1\n");
    await write(kit, "A=2\n", { expected: digest("A=1\n"), generation: 2 });
    expect(await readText(kit)).toBe("A=2\n");
    expect(readdirSync(kit.directory).filter((name) => name.startsWith("."))).toEqual([]);
  });

  it("makes room for a command on a server that allows one session, and is not started again there", async () => {
    const kit = await hostWith(KEPT, { lines: ["MaxSessions 1"] });
    await write(kit, "A=1\n");
    const { stdout } = await kit.host.run(["echo", "here"], { timeoutMs: 5_000 }, soon());
    expect(stdout).toBe("here\n");
    await write(kit, "A=2\n", { expected: digest("A=1\n"), generation: 2 });
    expect(await readText(kit)).toBe("A=2\n");
    expect(kit.started()).toHaveLength(1);
  });
});

function isAlive(pid: number | undefined): boolean {
  return pid !== undefined && existsSync(`/proc/${pid}`);
}

function opensFile(pid: number, path: string): boolean {
  const opened = `/proc/${pid}/fd`;
  return readdirSync(opened).some((fd) => {
    try {
      return readlinkSync(join(opened, fd)) === path;
    } catch {
      return false;
    }
  });
}
