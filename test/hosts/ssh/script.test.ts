/**
 * The constant script on hosts that lack something: other shells, no flock, another digest tool. Runs it as sshd would,
 * without sshd.
 */
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseAnswer } from "../../../src/adapters/hosts/script/answer.ts";
import { BOOTSTRAP } from "../../../src/adapters/hosts/script/bootstrap.ts";
import { ARGUMENTS, SCRIPT } from "../../../src/adapters/hosts/script/script.ts";
import { STORE_ID } from "../../support/ssh-kit.ts";

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

const WITHOUT_FLOCK = SCRIPT.replaceAll("command -v flock", "command -v no-flock-here");
const WITH_SHASUM = SCRIPT.replaceAll("command -v sha256sum", "command -v no-sha256sum-here");
const WITH_OPENSSL = WITH_SHASUM.replaceAll("command -v shasum", "command -v no-shasum-here");
const WITHOUT_DIGEST = WITH_OPENSSL.replaceAll("command -v openssl", "command -v no-openssl-here");

const SHELLS = ["/bin/sh", "/bin/bash", "/bin/dash", "/bin/ksh", "/bin/busybox"].filter((path) =>
  existsSync(path),
);

describe("the constant script", () => {
  let home: string;
  let path: string;

  beforeEach(() => {
    home = realpathSync(mkdtempSync(join(tmpdir(), "lockstep-script-")));
    path = join(home, "env");
  });
  afterEach(() => {
    rmSync(home, { recursive: true });
  });

  async function run(
    script: string,
    given: Record<string, string>,
    data = "",
    shell = "/bin/sh",
  ): Promise<string> {
    const nonce = randomBytes(8).toString("hex");
    const all: Record<string, string> = { nonce, path, key: sha256(path), ...given };
    const bootstrap = BOOTSTRAP.replace("/bin/sh", shell === "/bin/busybox" ? "/bin/busybox sh" : shell);
    const child = spawn("/bin/sh", ["-c", bootstrap], {
      env: { HOME: home, PATH: process.env["PATH"] ?? "" },
    });
    child.stdin.end(`${[script, ...ARGUMENTS.map((name) => all[name] ?? "-")].join("\n")}\n${data}`);
    const out: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    await new Promise((resolve) => child.once("close", resolve));
    const answer = parseAnswer(Buffer.concat(out), nonce);
    return answer === null ? "(no answer)" : [answer.word, answer.rest].join(" ").trim();
  }

  function write(content: string, before: string | null, generation = 1): Record<string, string> {
    return {
      verb: "write",
      expected: before === null ? "absent" : sha256(before),
      digest: sha256(content),
      mode: "0600",
      store: STORE_ID,
      epoch: "1",
      generation: `${generation}`,
      keep: "yes",
    };
  }

  it.each(SHELLS)("works in %s", async (shell) => {
    expect(await run(SCRIPT, write("A=1\n", null, 2), "A=1\n", shell)).toBe("done");
    expect(await run(SCRIPT, { verb: "read" }, "", shell)).toBe(`file -rw------- ${STORE_ID}.1.2`);
    expect(await run(SCRIPT, write("A=2\n", "A=1\n", 1), "A=2\n", shell)).toBe(`order ${STORE_ID}.1.2`);
    expect(await run(SCRIPT, write("A=2\n", "A=0\n", 2), "A=2\n", shell)).toBe("conflict");
    expect(await run(SCRIPT, write("A=2\n", "A=1\n", 3), "A=2\n", shell)).toBe("done");
    expect(await run(SCRIPT, { verb: "kept" }, "", shell)).toBe("kept");
    expect(await run(SCRIPT, { ...write("", null, 4), verb: "restore" }, "", shell)).toBe("done");
    expect(readFileSync(path, "utf8")).toBe("A=1\n");
  });

  it.each([
    ["shasum", WITH_SHASUM],
    ["openssl", WITH_OPENSSL],
  ])("works with %s alone", async (_tool, script) => {
    expect(await run(script, write("A=1\n", null), "A=1\n")).toBe("done");
    expect(await run(script, write("A=2\n", "A=1\n"), "A=2\n")).toBe("done");
    expect(readFileSync(path, "utf8")).toBe("A=2\n");
  });

  it("says what is missing, and writes nothing", async () => {
    expect(await run(WITHOUT_DIGEST, write("A=1\n", null), "A=1\n")).toBe("lacks sha256");
    expect(readdirSync(home)).toEqual([]);
  });

  it("takes nothing that did not arrive whole", async () => {
    expect(await run(SCRIPT, write("A=1\nB=2\n", null), "A=1\n")).toBe("short");
    expect(existsSync(path)).toBe(false);
  });

  it("killed between marker and rename: the old content stays, older writes are refused, the same may repeat", async () => {
    writeFileSync(path, "A=0\n", { mode: 0o600 });
    const rename = 'why=$(mv -f "$temp" "./$name" 2>&1)';
    expect(SCRIPT.split(rename)).toHaveLength(2);
    const killed = SCRIPT.replace(rename, () => `kill -s KILL $$; ${rename}`);
    expect(await run(killed, write("A=5\n", "A=0\n", 5), "A=5\n")).toBe("(no answer)");
    expect(readFileSync(path, "utf8")).toBe("A=0\n");
    expect(await run(SCRIPT, write("A=4\n", "A=0\n", 4), "A=4\n")).toBe(`order ${STORE_ID}.1.5`);
    expect(await run(SCRIPT, write("A=5\n", "A=0\n", 5), "A=5\n")).toBe("done");
    expect(readFileSync(path, "utf8")).toBe("A=5\n");
    // What the killed one left beside the file is gone.
    expect(readdirSync(home).sort()).toEqual([".lockstep", "env"]);
  });

  describe("without flock", () => {
    it("lets exactly one of many racing writers win, and leaves no lock", async () => {
      writeFileSync(path, "A=0\n", { mode: 0o600 });
      const answers = await Promise.all(
        Array.from({ length: 6 }, (_, index) =>
          run(WITHOUT_FLOCK, write(`A=writer ${index}\n`, "A=0\n"), `A=writer ${index}\n`),
        ),
      );
      expect(answers.filter((answer) => answer === "done")).toHaveLength(1);
      expect(answers.filter((answer) => answer === "conflict")).toHaveLength(5);
      expect(readFileSync(path, "utf8")).toBe(`A=writer ${answers.indexOf("done")}\n`);
      expect(readdirSync(join(home, ".lockstep")).filter((name) => name.endsWith(".d"))).toEqual([]);
    });

    it("breaks the lock of a writer that died, also when many come at once", async () => {
      const lock = join(home, ".lockstep", `${sha256(path)}.lock.d`);
      mkdirSync(lock, { recursive: true, mode: 0o700 });
      // A pid that was used and is gone.
      const dead = spawn("/bin/true");
      await new Promise((resolve) => dead.once("close", resolve));
      writeFileSync(join(lock, "pid"), `${dead.pid}\n`);
      const answers = await Promise.all(
        Array.from({ length: 4 }, (_, index) =>
          run(WITHOUT_FLOCK, write(`A=${index}\n`, null), `A=${index}\n`),
        ),
      );
      expect(answers.filter((answer) => answer === "done")).toHaveLength(1);
      expect(existsSync(lock)).toBe(false);
    });

    it("does not break the lock of a living writer", async () => {
      const lock = join(home, ".lockstep", `${sha256(path)}.lock.d`);
      mkdirSync(lock, { recursive: true, mode: 0o700 });
      writeFileSync(join(lock, "pid"), `${process.pid}\n`);
      const impatient = WITHOUT_FLOCK.replace("-lt 100", "-lt 3");
      expect(await run(impatient, write("A=1\n", null), "A=1\n")).toMatch(/^busy /);
      expect(existsSync(path)).toBe(false);
    });
  });
});
