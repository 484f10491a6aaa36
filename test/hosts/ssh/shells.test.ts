import { createHash } from "node:crypto";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { BOOTSTRAP } from "../../../src/adapters/hosts/script/bootstrap.ts";
import { lacks } from "../../support/servers.ts";
import { failure, orderOf, type SshKit, soon, startSshKit } from "../../support/ssh-kit.ts";

const RUN = { timeoutMs: 20_000 };

describe.skipIf(lacks("sshd"))("commands on a host over SSH", () => {
  const cleanups: (() => Promise<void> | void)[] = [];

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  async function kitWith(shell?: string): Promise<SshKit> {
    let loginShell: string | undefined;
    if (shell !== undefined) {
      const directory = mkdtempSync(join(tmpdir(), "lockstep-shell-"));
      cleanups.push(() => rmSync(directory, { recursive: true }));
      loginShell = join(directory, "shell");
      writeFileSync(loginShell, shell);
      chmodSync(loginShell, 0o755);
    }
    const kit = await startSshKit(loginShell === undefined ? {} : { loginShell });
    cleanups.push(() => kit.stop());
    return kit;
  }

  async function roundTrip(kit: SshKit): Promise<string> {
    const path = join(kit.directory, "env");
    const content = Buffer.from("A='1'\n");
    await kit.host.write(path, { content, expectedDigest: "absent", order: orderOf(1), mode: 0o600 }, soon());
    const file = await kit.host.read(path, soon());
    return file.state === "present" ? Buffer.from(file.content).toString() : "";
  }

  it("give every word to the program exactly", async () => {
    const kit = await kitWith();
    const words = [
      "",
      " ",
      "'",
      `"`,
      "$HOME",
      "`id`",
      "$(id)",
      "\\",
      "!!",
      "*",
      "-n",
      "ä€😀",
      "a;b",
      "\t",
      "~",
    ];
    const printed = await kit.host.run(["printf", "[%s]\\n", ...words], RUN, soon());
    expect(printed.stdout).toBe(words.map((word) => `[${word}]\n`).join(""));
  });

  it("give stdin to the program, keep both outputs apart, and answer a bad end", async () => {
    const kit = await kitWith();
    const stdin = Buffer.from([0, 10, 255, 39]);
    const counted = await kit.host.run(
      ["sh", "-c", "od -An -tx1; echo bad >&2; exit 3"],
      { ...RUN, stdin },
      soon(),
    );
    expect(counted).toEqual({ exitCode: 3, stdout: " 00 0a ff 27\n", stderr: "bad\n" });
    expect(await kit.host.run(["no-such-program"], RUN, soon())).toMatchObject({ exitCode: 127 });
    expect(await kit.host.run(["sh", "-c", "kill -9 $$"], RUN, soon())).toMatchObject({ exitCode: null });
  });

  it("keep at most the asked output, and stop a program at its time", async () => {
    const kit = await kitWith();
    const long = await kit.host.run(
      ["sh", "-c", "yes | head -c 5000000"],
      { ...RUN, maxOutputBytes: 1000 },
      soon(),
    );
    expect(long.stdout.length).toBeLessThanOrEqual(1000);
    expect(long.exitCode).toBe(0);
    await expect(kit.host.run(["sleep", "60"], { timeoutMs: 100 }, soon())).rejects.toMatchObject({
      code: "TARGET_OUTCOME_UNKNOWN",
    });
  });

  it("refuse words that hold a line break", async () => {
    const kit = await kitWith();
    await expect(kit.host.run(["echo", "a\nb"], RUN, soon())).rejects.toMatchObject({
      code: "INPUT_INVALID",
    });
  });

  it("use nothing that csh, fish or rc would interpret inside the quotes", () => {
    const [, quoted = ""] = /^exec \/bin\/sh -c '([^']*)'$/.exec(BOOTSTRAP) ?? [];
    expect(quoted).not.toBe("");
    expect(quoted).not.toMatch(/[!\\\n\r']/);
  });

  it("work where start files print and the shell is not a usual one", async () => {
    // As csh and fish do: it takes the words itself and knows no POSIX syntax but single quotes.
    const kit = await kitWith(`#!/usr/bin/env python3
import os, re, sys
print("Welcome! lockstep 1 done")
sys.stderr.write("motd on stderr\\n")
sys.stdout.flush()
words = re.findall(r"'([^'!\\\\\\n]*)'|([^\\s']+)", sys.argv[2])
words = [a or b for a, b in words]
assert words[0] == "exec"
os.execv(words[1], words[1:])
`);
    expect(await roundTrip(kit)).toBe("A='1'\n");
    expect(await kit.host.run(["echo", "it's"], RUN, soon())).toEqual({
      exitCode: 0,
      stdout: "it's\n",
      stderr: "",
    });
  });

  it("do not run what is left when a start file ate from stdin", async () => {
    const kit = await kitWith(
      // The script and its ten arguments are gone; what comes next is the file's content.
      `#!/bin/sh\nfor n in 1 2 3 4 5 6 7 8 9 10 11; do IFS= read -r eaten; done; shift; eval "$1"\n`,
    );
    const path = join(kit.directory, "env");
    const write = {
      content: Buffer.from(`touch ${join(kit.directory, "executed")}\n`),
      expectedDigest: "absent" as const,
      order: orderOf(1),
      mode: 0o600,
    };
    expect(await failure(kit.host.write(path, write, soon()))).toMatchObject({ code: "TARGET_REFUSED" });
    expect(readdirSync(kit.directory)).toEqual([]);
  });

  it("leave the old file where the disk is full", async () => {
    // As a full disk does, a limit on file sizes makes writing fail in the middle.
    const kit = await kitWith(`#!/bin/sh\nulimit -f 200\nexec /bin/sh -c "$2"\n`);
    const path = join(kit.directory, "env");
    writeFileSync(path, "A=1\n", { mode: 0o600 });
    const content = Buffer.alloc(1_000_000, "x");
    const expectedDigest = createHash("sha256").update("A=1\n").digest("hex");
    const write = { content, expectedDigest, order: orderOf(1), mode: 0o600 };
    expect(await failure(kit.host.write(path, write, soon()))).toMatchObject({
      code: "TARGET_REFUSED",
      message: expect.stringContaining("disk may be full"),
    });
    expect(readFileSync(path, "utf8")).toBe("A=1\n");
    expect(readdirSync(kit.directory)).toEqual(["env"]);
    expect(readdirSync(join(kit.sshd.home, ".lockstep"))).toEqual([]);
  });

  it("say what is missing where no shell answers", async () => {
    const kit = await kitWith("#!/bin/sh\necho This account is not available.\nexit 1\n");
    expect(await failure(kit.host.read(join(kit.directory, "env"), soon()))).toMatchObject({
      code: "TARGET_PROTOCOL",
      hint: expect.stringContaining("sftpOnly"),
    });
  });

  it("show no value and no path in any process's arguments", async () => {
    const kit = await kitWith();
    const canary = "canary-7f3c9a";
    const path = join(kit.directory, "canary-path");
    const seen = new Set<string>();
    let watching = true;
    const watch = (async () => {
      while (watching) {
        for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
          try {
            for (const part of ["cmdline", "environ"]) seen.add(readFileSync(`/proc/${pid}/${part}`, "utf8"));
          } catch {
            // It has ended meanwhile.
          }
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    let before: string | null = null;
    for (let round = 1; round <= 10; round += 1) {
      const content = `SECRET=${canary}-${round}\n`;
      const expectedDigest: string =
        before === null ? "absent" : createHash("sha256").update(before).digest("hex");
      await kit.host.write(
        path,
        { content: Buffer.from(content), expectedDigest, order: orderOf(round), mode: 0o600 },
        soon(),
      );
      await kit.host.read(path, soon());
      await kit.host.run(["cat"], { ...RUN, stdin: Buffer.from(content) }, soon());
      before = content;
    }
    // The control: a value in argv would have been seen.
    await kit.host.run(["sh", "-c", `sleep 0.3 # ${canary}-control`], RUN, soon());
    watching = false;
    await watch;
    const hits = [...seen].filter((text) => text.includes(canary));
    expect(hits.some((text) => text.includes(`${canary}-control`))).toBe(true);
    expect(hits.filter((text) => !text.includes("-control"))).toEqual([]);
    expect([...seen].some((text) => text.includes("lockstep 1;"))).toBe(true);
  });
});
