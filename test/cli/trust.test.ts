/** A host's key is trusted after somebody compared it, against a real sshd. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunOptions, runCli } from "../support/cli-kit.ts";
import { useDatabase } from "../support/database.ts";
import { createHttpKit, type HttpKit } from "../support/http-kit.ts";
import { createLoopKit } from "../support/loop-kit.ts";
import { lacks } from "../support/servers.ts";
import { type RunningSshd, startSshd } from "../support/sshd.ts";

describe.skipIf(lacks("sshd"))("target trust", () => {
  const getDatabase = useDatabase();
  let http: HttpKit;
  let sshd: RunningSshd;
  let env: Record<string, string>;
  let fingerprint: string;

  beforeAll(async () => {
    http = await createHttpKit(createLoopKit(getDatabase()).context);
    env = { LOCKSTEP_URL: (await http.server.listen(0)).url, LOCKSTEP_TOKEN: await http.token("admin") };
    sshd = await startSshd();
    const key = Buffer.from(sshd.hostKey.split(" ")[1] ?? "", "base64");
    fingerprint = `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
  });
  afterAll(async () => {
    await sshd.stop();
    await http.server.close();
  });

  const trust = (more: string, options: RunOptions = {}) =>
    runCli(`target trust ${sshd.host} --port ${sshd.port}${more}`.split(" "), { ...options, env });

  test("prints the key when it has the expected fingerprint", async () => {
    const ran = await trust(` --fingerprint ${fingerprint}`);
    expect(ran).toMatchObject({ exitCode: 0, stdout: `hostKey: "${sshd.hostKey}"\n` });
  });

  test("refuses another fingerprint, and prints no key", async () => {
    const ran = await trust(" --fingerprint SHA256:somethingElse");
    expect(ran).toMatchObject({ exitCode: 1, stdout: "" });
    expect(ran.stderr).toContain("error TARGET_HOST_KEY");
  });

  test("asks a person, and trusts nothing that nobody compared", async () => {
    expect((await trust("", { types: "y\n" })).stdout).toContain(sshd.hostKey);
    expect((await trust("", { types: "\n" })).stdout).toBe("");
    expect(await trust("")).toMatchObject({ exitCode: 64, stdout: "" });
  });

  test("needs the right to configure", async () => {
    const ran = await runCli(["target", "trust", sshd.host, "--fingerprint", fingerprint], {
      env: { ...env, LOCKSTEP_TOKEN: await http.token("operator") },
    });
    expect(ran.stderr).toContain("error FORBIDDEN");
  });
});
