import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import { connect, fetchHostKey } from "../../../src/adapters/hosts/ssh/connect.ts";
import { SshConnections } from "../../../src/adapters/hosts/ssh/connections.ts";
import { parseHostKey } from "../../../src/adapters/hosts/ssh/host-key.ts";
import { parseLoginKey } from "../../../src/adapters/hosts/ssh/login-key.ts";
import { SshHost } from "../../../src/adapters/hosts/ssh/ssh-host.ts";
import type { LockstepError } from "../../../src/core/errors.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { startFaultProxy } from "../../support/fault-proxy.ts";
import { lacks } from "../../support/servers.ts";
import { destinationOf, failure, soon, until } from "../../support/ssh-kit.ts";
import { generateKey, type RunningSshd, type SshdOptions, startSshd } from "../../support/sshd.ts";

const RUN = { timeoutMs: 20_000 };

describe.skipIf(lacks("sshd"))("connections over SSH", () => {
  const cleanups: (() => Promise<void>)[] = [];

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  async function server(options: SshdOptions = {}): Promise<RunningSshd> {
    const sshd = await startSshd(options);
    cleanups.push(() => sshd.stop());
    return sshd;
  }

  function pool(options: ConstructorParameters<typeof SshConnections>[0] = {}): SshConnections {
    const connections = new SshConnections(options);
    cleanups.push(() => connections.close());
    return connections;
  }

  async function proxyTo(sshd: RunningSshd) {
    const proxy = await startFaultProxy(sshd.port);
    cleanups.push(() => proxy.stop());
    return proxy;
  }

  it.each(["ed25519", "ecdsa", "rsa"] as const)("verifies a pinned %s host key", async (type) => {
    const sshd = await server({ hostKeys: [type] });
    const host = new SshHost(pool(), destinationOf(sshd));
    expect(await host.run(["echo", "hello"], RUN, soon())).toEqual({
      exitCode: 0,
      stdout: "hello\n",
      stderr: "",
    });
  });

  it("asks a server with several keys for the pinned type alone", async () => {
    const sshd = await server({ hostKeys: ["ed25519", "rsa", "ecdsa"] });
    for (const key of sshd.hostKeys) {
      const host = new SshHost(pool(), destinationOf(sshd, { hostKey: parseHostKey(key) }));
      expect(await host.run(["true"], RUN, soon()), key).toMatchObject({ exitCode: 0 });
    }
  });

  it("refuses another key of the pinned type, names both fingerprints and sends no login", async () => {
    const sshd = await server();
    const other = parseHostKey(generateKey().publicKey);
    const host = new SshHost(pool(), destinationOf(sshd, { hostKey: other }));
    const error = (await failure(host.run(["true"], RUN, soon()))) as LockstepError;
    expect(error.code).toBe("TARGET_HOST_KEY");
    expect(error.message).toContain(other.fingerprint);
    expect(error.message).toContain(parseHostKey(sshd.hostKey).fingerprint);
    expect(sshd.log()).not.toContain("publickey");
  });

  it("does not let a server prove itself with a key of another type than the pinned one", async () => {
    const sshd = await server({ hostKeys: ["rsa"] });
    const pinned = parseHostKey(generateKey("ed25519").publicKey);
    const host = new SshHost(pool(), destinationOf(sshd, { hostKey: pinned }));
    await expect(host.run(["true"], RUN, soon())).rejects.toMatchObject({ code: "TARGET_HOST_KEY" });
  });

  it("refuses a server that signs with SHA-1 only, or knows only CBC or SHA-1 MACs", async () => {
    for (const [hostKeys, line, code] of [
      [["rsa"], "HostKeyAlgorithms ssh-rsa", "TARGET_HOST_KEY"],
      [["ed25519"], "Ciphers aes256-cbc", "UNSUPPORTED"],
      [["ed25519"], "MACs hmac-sha1\nCiphers aes128-ctr", "UNSUPPORTED"],
      [["ed25519"], "KexAlgorithms diffie-hellman-group14-sha1", "UNSUPPORTED"],
    ] as const) {
      const sshd = await server({ hostKeys, lines: [line] });
      const host = new SshHost(pool(), destinationOf(sshd));
      await expect(host.run(["true"], RUN, soon()), line).rejects.toMatchObject({ code });
    }
  });

  it("says what to allow on a server that requires post-quantum key exchange", async () => {
    const sshd = await server({ lines: ["KexAlgorithms sntrup761x25519-sha512@openssh.com"] });
    const error = await failure(new SshHost(pool(), destinationOf(sshd)).run(["true"], RUN, soon()));
    expect(error).toMatchObject({
      code: "UNSUPPORTED",
      hint: expect.stringContaining("curve25519-sha256"),
    });
  });

  it("reports a refused key by its fingerprint and never by its text", async () => {
    const sshd = await server();
    const stranger = generateKey();
    const key = parseLoginKey(SecretValue.of(stranger.privateKey));
    const error = (await failure(
      new SshHost(pool(), destinationOf(sshd, { key })).run(["true"], RUN, soon()),
    )) as LockstepError;
    expect(error.code).toBe("TARGET_CREDENTIAL_REJECTED");
    expect(error.message).toContain(key.fingerprint);
    const body = stranger.privateKey.split("\n")[2] ?? "";
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain(body);
  });

  it("logs in with an RSA key by SHA-2, and refuses to sign with SHA-1", async () => {
    const rsa = generateKey("rsa");
    const key = parseLoginKey(SecretValue.of(rsa.privateKey));
    expect(key.parsed.sign(Buffer.from("text"), "sha256")).toBeInstanceOf(Buffer);
    for (const algorithm of ["sha1", undefined]) {
      expect(() => key.parsed.sign(Buffer.from("text"), algorithm)).toThrow();
    }
    const modern = await server();
    modern.authorize(rsa.publicKey);
    const host = new SshHost(pool(), destinationOf(modern, { key }));
    expect(await host.run(["true"], RUN, soon())).toMatchObject({ exitCode: 0 });

    const old = await server({ lines: ["PubkeyAcceptedAlgorithms ssh-rsa"] });
    old.authorize(rsa.publicKey);
    const error = failure(new SshHost(pool(), destinationOf(old, { key })).run(["true"], RUN, soon()));
    expect(["UNSUPPORTED", "TARGET_CREDENTIAL_REJECTED"]).toContain(((await error) as LockstepError).code);
    expect(old.log()).not.toContain("Accepted publickey");
  });

  it("opens a key with its passphrase", async () => {
    const sshd = await server();
    const locked = generateKey("ed25519", "correct horse");
    sshd.authorize(locked.publicKey);
    const key = parseLoginKey(SecretValue.of(locked.privateKey), SecretValue.of("correct horse"));
    const host = new SshHost(pool(), destinationOf(sshd, { key }));
    expect(await host.run(["true"], RUN, soon())).toMatchObject({ exitCode: 0 });
  });

  it("says in words why nothing can be reached", async () => {
    const sshd = await server();
    const gone = destinationOf(sshd, { port: 1 });
    await expect(new SshHost(pool(), gone).run(["true"], RUN, soon())).rejects.toMatchObject({
      code: "TARGET_UNREACHABLE",
      message: expect.stringContaining("nothing listens there"),
    });
  });

  it("goes through a jump host and verifies both", async () => {
    const inner = await server();
    const outer = await server();
    const jump = destinationOf(outer);
    const host = new SshHost(pool(), destinationOf(inner, { jump }));
    expect(await host.run(["echo", "inside"], RUN, soon())).toMatchObject({ stdout: "inside\n" });
    expect(outer.log()).toContain("Accepted publickey");

    const wrong = parseHostKey(generateKey().publicKey);
    for (const destination of [
      destinationOf(inner, { jump: { ...jump, hostKey: wrong } }),
      destinationOf(inner, { jump, hostKey: wrong }),
    ]) {
      await expect(new SshHost(pool(), destination).run(["true"], RUN, soon())).rejects.toMatchObject({
        code: "TARGET_HOST_KEY",
        details: { pinned: wrong.fingerprint },
      });
    }
  });

  it("shares one line among all work at the same time, more than sshd's sessions allow", async () => {
    const sshd = await server();
    const proxy = await proxyTo(sshd);
    const connections = pool();
    const host = new SshHost(connections, destinationOf(sshd, { port: proxy.port }));
    const results = await Promise.all(
      Array.from({ length: 25 }, (_, index) => host.run(["echo", `${index}`], RUN, soon())),
    );
    expect(results.map((result) => result.stdout)).toEqual(Array.from({ length: 25 }, (_, i) => `${i}\n`));
    expect(proxy.accepted()).toBe(1);
    expect(connections.size).toBe(1);
  });

  it("closes a line after the idle time, and opens a new one when needed", async () => {
    const sshd = await server();
    const proxy = await proxyTo(sshd);
    const connections = pool({ idleMs: 1 });
    const host = new SshHost(connections, destinationOf(sshd, { port: proxy.port }));
    await host.run(["true"], RUN, soon());
    await until(() => connections.size === 0 && proxy.connections() === 0);
    await host.run(["true"], RUN, soon());
    expect(proxy.accepted()).toBe(2);
  });

  it("replaces a kept line that was cut", async () => {
    const sshd = await server();
    const proxy = await proxyTo(sshd);
    const connections = pool();
    const host = new SshHost(connections, destinationOf(sshd, { port: proxy.port }));
    await host.run(["true"], RUN, soon());
    proxy.cut();
    expect(await host.run(["echo", "again"], RUN, soon())).toMatchObject({ stdout: "again\n" });
    expect(proxy.accepted()).toBe(2);
  });

  it("does not share a line between two keys", async () => {
    const sshd = await server();
    const second = generateKey();
    sshd.authorize(second.publicKey);
    const connections = pool();
    const key = parseLoginKey(SecretValue.of(second.privateKey));
    await new SshHost(connections, destinationOf(sshd)).run(["true"], RUN, soon());
    await new SshHost(connections, destinationOf(sshd, { key })).run(["true"], RUN, soon());
    expect(connections.size).toBe(2);
  });

  it("gets a burst of 50 logins through a server that drops from the second on", async () => {
    const sshd = await server({ maxStartups: "2:50:6" });
    const pools = Array.from({ length: 50 }, () => pool({ handshakes: { maxAttempts: 30 } }));
    const results = await Promise.all(
      pools.map((connections) =>
        new SshHost(connections, destinationOf(sshd)).run(["true"], RUN, AbortSignal.timeout(60_000)),
      ),
    );
    expect(results.every((result) => result.exitCode === 0)).toBe(true);
    // The control: the server did drop some.
    expect(sshd.log()).toMatch(/drop connection|past MaxStartups/);
  }, 60_000);

  it("shows a host's key without logging in", async () => {
    const sshd = await server({ hostKeys: ["rsa", "ed25519"] });
    const key = await fetchHostKey({ host: sshd.host, port: sshd.port }, { signal: soon() });
    expect(`${key.type} ${key.key}`).toBe(sshd.hostKeys[1]);
    expect(key).toEqual(parseHostKey(sshd.hostKeys[1] ?? ""));
    expect(sshd.log()).not.toMatch(/publickey|user/);
  });

  it("shows a host's key through a jump host", async () => {
    const inner = await server();
    const outer = await server();
    const { host, port } = inner;
    const key = await pool().fetchHostKey({ host, port, jump: destinationOf(outer) }, soon());
    expect(key).toEqual(parseHostKey(inner.hostKey));
  });

  it("gives up when its caller does", async () => {
    const sshd = await server();
    const proxy = await proxyTo(sshd);
    proxy.silence("to-client");
    const early = connect(destinationOf(sshd, { port: proxy.port }), { signal: AbortSignal.timeout(50) });
    await expect(early).rejects.toMatchObject({ code: "TARGET_UNREACHABLE" });
  });
});

describe("the source", () => {
  it("makes SSH clients in one place only", () => {
    const root = join(import.meta.dirname, "../../../src");
    // The simulator asks the server that it starts itself, and knows its key.
    const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter(
      (name) => name.endsWith(".ts") && !name.startsWith("simulator"),
    );
    const makers = files.filter(
      (name) =>
        /new (ssh2\.)?Client\(/.test(readFileSync(join(root, name), "utf8")) &&
        /ssh2/.test(readFileSync(join(root, name), "utf8")),
    );
    expect(makers).toEqual(["adapters/hosts/ssh/connect.ts"]);
  });
});
