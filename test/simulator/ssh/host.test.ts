/** The simulated host over SSH, seen by the product's own client: login, pinned key, the fenced script, commands. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SshConnections } from "../../../src/adapters/hosts/ssh/connections.ts";
import { parseHostKey } from "../../../src/adapters/hosts/ssh/host-key.ts";
import { parseLoginKey } from "../../../src/adapters/hosts/ssh/login-key.ts";
import { SshHost } from "../../../src/adapters/hosts/ssh/ssh-host.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { type RunningSshHost, startSshHost } from "../../../src/simulator/ssh/host.ts";
import { generateSshKey } from "../../../src/simulator/ssh/keys.ts";
import { findServer, lacks } from "../../support/servers.ts";
import { orderOf, soon } from "../../support/ssh-kit.ts";

const ENVIRONMENT = {
  PATH: `/usr/local/bin:/usr/bin:/bin:${findServer("sshd")?.replace(/\/sshd$/, "") ?? ""}`,
};

describe.each(["openssh", "stand-in"] as const)("a host with %s", (server) => {
  const skipped = server === "openssh" && lacks("sshd");
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "lockstep-ssh-host-")));
  const connections = new SshConnections();
  const launched: ChildProcess[] = [];
  let host: RunningSshHost;

  const reach = (changes: { readonly privateKey?: string; readonly hostKey?: string } = {}) =>
    new SshHost(connections, {
      host: host.address,
      port: host.port,
      user: host.user,
      hostKey: parseHostKey(changes.hostKey ?? host.hostKey),
      key: parseLoginKey(SecretValue.of(changes.privateKey ?? host.privateKey)),
    });

  beforeAll(async () => {
    if (skipped) return;
    host = await startSshHost({
      directory,
      environment: ENVIRONMENT,
      server: server === "openssh" ? "auto" : "stand-in",
      launch: (program, parameters) => {
        const child = spawn(program, parameters, { stdio: ["ignore", "ignore", "pipe"] });
        launched.push(child);
        return child;
      },
      signal: soon(),
    });
  });
  afterAll(async () => {
    await connections.close();
    if (!skipped) await host.stop();
    expect(launched.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)).toEqual(
      [],
    );
    rmSync(directory, { recursive: true, force: true });
  });

  it.skipIf(skipped)("says what it is", () => {
    expect(host.server).toBe(server);
    expect(host.reason).toBe(server === "openssh" ? null : "it was asked for");
  });

  it.skipIf(skipped)("writes and reads files through the fenced script", async () => {
    mkdirSync(join(host.home, "app"), { mode: 0o700 });
    const content = Buffer.alloc(200_000, Buffer.from([0, 10, 255]));
    const write = { content, expectedDigest: "absent", order: orderOf(2), mode: 0o600 } as const;
    await reach().write("~/app/env", write, soon());
    expect(readFileSync(join(host.home, "app/env")).equals(content)).toBe(true);
    expect(await reach().read("~/app/env", soon())).toMatchObject({ mode: 0o600, order: orderOf(2) });
    await expect(reach().write("~/app/env", { ...write, order: orderOf(1) }, soon())).rejects.toMatchObject({
      code: "ORDER_REFUSED",
    });
  });

  it.skipIf(skipped)("runs commands, tells how they end, and ends them when told", async () => {
    const run = (...words: readonly string[]) => reach().run(words, { timeoutMs: 5_000 }, soon());
    expect(await run("/bin/sh", "-c", "echo out; echo err >&2; exit 7")).toMatchObject({
      exitCode: 7,
      stdout: "out\n",
      stderr: "err\n",
    });
    const endless = reach().run(["/bin/sleep", "600"], { timeoutMs: 200 }, soon());
    await expect(endless).rejects.toMatchObject({ code: "TARGET_OUTCOME_UNKNOWN" });
  });

  it.skipIf(skipped)("lets no other key in, and cannot pass for another host", async () => {
    const stranger = generateSshKey();
    const knock = (changes: Parameters<typeof reach>[0]) => reach(changes).read("~/x", soon());
    await expect(knock({ privateKey: stranger.privateKey })).rejects.toMatchObject({
      code: "TARGET_CREDENTIAL_REJECTED",
    });
    await expect(knock({ hostKey: stranger.publicKey })).rejects.toMatchObject({ code: "TARGET_HOST_KEY" });
  });
});
