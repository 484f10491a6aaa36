/** The root key's recovery copy, through the built program: asked for, made, checked, and what it is for: a lost disk. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createProgramKit } from "../support/program-kit.ts";

const newKey = () => `${randomBytes(32).toString("base64url")}\n`;

describe.skipIf(process.platform !== "linux")("a copy of the root key", () => {
  const kit = createProgramKit("e2e-recovery");
  const { directory, lockstep, json, look } = kit;
  const rootKey = join(directory, "data", "root.key");
  const away = join(directory, "lockstep-root.key");
  let up: ReturnType<typeof kit.start>;
  const start = async (env: Readonly<Record<string, string>> = {}) => {
    up = kit.start(["up", "--port", "0"], { env });
    await kit.reach("the server", async () => (await look("status")).exitCode === 0);
  };
  const stop = async () => {
    const gone = once(up, "exit");
    up.kill("SIGTERM");
    await gone;
  };
  const hint = async () => {
    const { ok, findings } = await json("doctor");
    expect(ok).toBe(true);
    expect(findings.length).toBeLessThan(2);
    return findings[0] ?? null;
  };

  beforeAll(async () => {
    await start();
    expect((await lockstep(["secret", "set", "API_KEY"], { input: "canary-value" })).code).toBe(0);
  }, 120_000);
  afterAll(() => kit.stop(), 60_000);

  it("is missed by doctor until one was checked, and is the key and nothing more", async () => {
    const asked = await hint();
    expect(asked).toMatchObject({ id: "no-recovery-copy", severity: "hint" });
    const [program = "", ...words] = asked.command.split(" ");
    expect(program).toBe("lockstep");
    expect(await lockstep(words)).toMatchObject({ code: 0, stderr: "" });
    expect(statSync(away).mode & 0o777).toBe(0o600);
    expect(readFileSync(away, "utf8")).toBe(readFileSync(rootKey, "utf8"));
    const again = await lockstep(words);
    expect(again.stderr).toContain("error ALREADY_EXISTS");
    // Made is not kept: only who looked at it can say that it is there.
    expect(await hint()).toMatchObject({ id: "no-recovery-copy" });

    expect(await lockstep(["root-key", "check", away])).toMatchObject({ code: 0 });
    expect(await hint()).toBeNull();
    const { stdout } = await lockstep(["audit", "list", "--json"]);
    expect(stdout).toContain('"store.recovery_copy_checked"');
  });

  it("goes through pipes", async () => {
    const { stdout, code } = await lockstep(["root-key", "copy", "-"]);
    expect(code).toBe(0);
    expect(`${stdout}\n`).toBe(readFileSync(rootKey, "utf8"));
    expect(await lockstep(["root-key", "check"], { input: stdout })).toMatchObject({ code: 0 });
  });

  it.each([
    ["another key", newKey()],
    ["no key", "not-a-key"],
  ])("that is %s is refused, and nothing is recorded", async (_name, text) => {
    const before = await json("audit", "list");
    const { code, stderr } = await lockstep(["root-key", "check"], { input: text });
    expect(code).toBe(64);
    expect(stderr).toContain("error RECOVERY_COPY_WRONG");
    expect(stderr).not.toContain(text.trim());
    expect(await json("audit", "list")).toEqual(before);
  });

  it("opens the store when the key's file is lost", async () => {
    await stop();
    rmSync(rootKey);
    const refused = await lockstep(["up", "--port", "0"]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("error ROOT_KEY_MISSING");
    expect(() => statSync(rootKey)).toThrow();
    copyFileSync(away, rootKey);
    await start();
    expect((await lockstep(["secret", "reveal", "API_KEY"])).stdout).toBe("canary-value");
  });

  it("is missed again once the key was changed", async () => {
    await stop();
    const next = join(directory, "next.key");
    writeFileSync(next, newKey(), { mode: 0o600 });
    await start({ LOCKSTEP_ROOT_KEY_FILE: next, LOCKSTEP_PREVIOUS_ROOT_KEY_FILE: rootKey });
    const { findings } = await json("doctor");
    expect(findings.map(({ id }: { id: string }) => id)).toEqual(["no-recovery-copy", "rewrap-unfinished"]);
    expect((await lockstep(["rewrap"])).code).toBe(0);
    const asked = await hint();
    expect(asked).toMatchObject({ id: "no-recovery-copy" });
    expect(asked.what).toContain("The root key was changed");
    expect((await lockstep(["root-key", "check", away])).stderr).toContain("error RECOVERY_COPY_WRONG");
    expect(await lockstep(["root-key", "check", next])).toMatchObject({ code: 0 });
    expect(await hint()).toBeNull();
  });

  it("is told by no process that stays", () => {
    const key = readFileSync(rootKey, "utf8").trim();
    // Once on the standard output of the command that was asked for it.
    expect(kit.said().split(key)).toHaveLength(2);
  });
});
