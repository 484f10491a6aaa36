/** A host's key is trusted after somebody compared it, against a real sshd. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunOptions } from "../support/cli-kit.ts";
import { useCliServer } from "../support/cli-server.ts";
import { useDatabase } from "../support/database.ts";
import { createLoopKit } from "../support/loop-kit.ts";
import { lacks } from "../support/servers.ts";
import { type RunningSshd, startSshd } from "../support/sshd.ts";

describe.skipIf(lacks("sshd"))("target trust", () => {
  const getDatabase = useDatabase();
  const server = useCliServer(() => createLoopKit(getDatabase()).context);
  let sshd: RunningSshd;
  let fingerprint: string;

  beforeAll(async () => {
    sshd = await startSshd();
    const key = Buffer.from(sshd.hostKey.split(" ")[1] ?? "", "base64");
    fingerprint = `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
  });
  afterAll(async () => {
    await sshd.stop();
  });

  const trust = (more: string, options: RunOptions = {}) =>
    server.cli(`target trust ${sshd.host} --port ${sshd.port}${more}`, options);

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
    const ran = await server.cli(`target trust ${sshd.host} --fingerprint ${fingerprint}`, {
      env: { LOCKSTEP_TOKEN: await server.http.token("operator") },
    });
    expect(ran.stderr).toContain("error FORBIDDEN");
  });
});
