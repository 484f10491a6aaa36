import { createServer, type Server } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SshConnections } from "../../../src/adapters/hosts/ssh/connections.ts";
import { parseLoginKey } from "../../../src/adapters/hosts/ssh/login-key.ts";
import { SftpHost } from "../../../src/adapters/hosts/ssh/sftp-host.ts";
import { SshHost } from "../../../src/adapters/hosts/ssh/ssh-host.ts";
import type { LockstepError } from "../../../src/core/errors.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { lacks } from "../../support/servers.ts";
import { destinationOf, failure, soon } from "../../support/ssh-kit.ts";
import { generateKey, type RunningSshd, startSshd } from "../../support/sshd.ts";

const RUN = { timeoutMs: 20_000 };
/** No login of these suites waits for another's refusal. */
const AT_ONCE = { handshakes: { refusalMs: 0 } };

describe.skipIf(lacks("sshd"))("a host that does not let a key work", () => {
  let sshd: RunningSshd;
  const pools: SshConnections[] = [];

  beforeAll(async () => {
    sshd = await startSshd({
      alsoAt: {
        password: ["AuthenticationMethods publickey,password"],
        keyboard: [
          "KbdInteractiveAuthentication yes",
          "AuthenticationMethods publickey,keyboard-interactive",
        ],
        either: ["AuthenticationMethods publickey,password publickey,keyboard-interactive"],
        twoKeys: ["AuthenticationMethods publickey,publickey"],
        noKeys: ["PubkeyAuthentication no", "AuthenticationMethods password"],
        noRoot: ["PermitRootLogin no"],
        nologin: ["ForceCommand /usr/sbin/nologin"],
        restricted: ['ForceCommand exec /bin/bash -r -c "$SSH_ORIGINAL_COMMAND"'],
        fixed: ["ForceCommand cat"],
        banner: ['ForceCommand echo "Welcome to $HOME"; exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"'],
        garbled: ["ForceCommand echo Welcome to this host; exec /usr/lib/openssh/sftp-server"],
      },
      lines: ["Banner /etc/passwd"],
    });
  });

  afterAll(async () => {
    for (const pool of pools) await pool.close();
    await sshd.stop();
  });

  function destination(port: string, privateKey?: string) {
    return destinationOf(sshd, {
      port: sshd.ports[port] ?? sshd.port,
      ...(privateKey === undefined ? {} : { key: parseLoginKey(SecretValue.of(privateKey)) }),
    });
  }

  function pool(): SshConnections {
    const connections = new SshConnections(AT_ONCE);
    pools.push(connections);
    return connections;
  }

  async function refused(port: string, privateKey?: string): Promise<LockstepError> {
    const host = new SshHost(pool(), destination(port, privateKey));
    return (await failure(host.run(["true"], RUN, soon()))) as LockstepError;
  }

  it.each([
    ["password", "also wants a password", ["password"]],
    ["keyboard", "keyboard-interactive", ["keyboard-interactive"]],
    ["either", "a password or an answer", ["password", "keyboard-interactive"]],
    ["twoKeys", "also wants a second key", ["publickey"]],
  ])(
    "because it wants more (%s): the key was accepted, and what to write is said",
    async (port, why, wants) => {
      const error = await refused(port);
      expect(error).toMatchObject({ code: "TARGET_CREDENTIAL_REJECTED", details: { accepted: true, wants } });
      expect(error.message).toContain("was accepted, but the host also wants");
      expect(error.message).toContain(why);
      expect(error.hint).toContain(`\`Match User ${sshd.user}\``);
      expect(error.hint).toContain("`AuthenticationMethods publickey`");
    },
  );

  it("tells that an RSA key was accepted too, though the library offers it twice", async () => {
    const { privateKey, publicKey } = generateKey("rsa");
    sshd.authorize(publicKey);
    const error = await refused("password", privateKey);
    expect(error).toMatchObject({ details: { accepted: true, wants: ["password"] } });
  });

  it("does not call a key accepted that the host does not know", async () => {
    for (const type of ["ed25519", "rsa", "ecdsa"] as const) {
      const error = await refused("password", generateKey(type).privateKey);
      expect(error.message).toContain("was refused");
      expect(error.details["accepted"]).toBeUndefined();
      expect(error.hint).toContain("StrictModes");
    }
  });

  it("because it takes no keys: says so, not that this key is wrong", async () => {
    const error = await refused("noKeys");
    expect(error.message).toContain("takes no key from");
    expect(error.hint).toContain("`PubkeyAuthentication yes`");
  });

  it.skipIf(process.getuid?.() !== 0)("because the account may not log in: the key is known", async () => {
    const error = await refused("noRoot");
    expect(error.message).toContain("does not let root in");
    expect(error.hint).toContain("PermitRootLogin");
  });

  it.each(["nologin", "restricted", "fixed"])("because there is no shell (%s): in words", async (port) => {
    const host = new SshHost(pool(), destination(port));
    const errors = [
      await failure(host.run(["true"], RUN, soon())),
      await failure(host.read(`${sshd.home}/env`, soon())),
    ];
    for (const error of errors) {
      expect(error).toMatchObject({ code: "TARGET_PROTOCOL", hint: expect.stringContaining("ForceCommand") });
      expect((error as LockstepError).message).not.toContain("Welcome");
    }
  });

  it("works where the login shell greets first", async () => {
    const host = new SshHost(pool(), destination("banner"));
    expect(await host.run(["echo", "hello"], RUN, soon())).toMatchObject({ stdout: "hello\n" });
    expect(await host.read(`${sshd.home}/env`, soon())).toMatchObject({ state: "absent" });
  });

  it.each([
    ["garbled", "is no SFTP", ".bashrc"],
    ["nologin", "is no SFTP", "nologin"],
    ["fixed", "is no SFTP", "ForceCommand"],
  ])("because something else answers on SFTP (%s): in words", async (port, why, remedy) => {
    const host = new SftpHost(pool(), destination(port));
    const error = (await failure(host.read(`${sshd.home}/env`, soon()))) as LockstepError;
    expect(error).toMatchObject({ code: "TARGET_PROTOCOL" });
    expect(error.message).toContain(why);
    expect(error.hint).toContain(remedy);
  });
});

describe("a server that answers before it says that it speaks SSH", () => {
  let server: Server;
  let says = "";
  let calls = 0;

  beforeAll(async () => {
    server = createServer((socket) => {
      calls += 1;
      socket
        .on("error", () => undefined)
        .resume()
        .end(says);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });

  afterAll(() => new Promise<void>((resolve) => server.close(() => resolve())));

  async function refused(text: string): Promise<LockstepError> {
    says = text;
    calls = 0;
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const connections = new SshConnections({ handshakes: { maxAttempts: 3, firstPauseMs: 1 } });
    const key = generateKey();
    const destination = destinationOf(
      { host: "127.0.0.1", port, user: "deploy", hostKey: key.publicKey, clientKey: key } as RunningSshd,
      {},
    );
    const error = await failure(new SshHost(connections, destination).run(["true"], RUN, soon()));
    await connections.close();
    return error as LockstepError;
  }

  it("because of refused logins: named, and not asked again in a burst", async () => {
    const error = await refused("Not allowed at this time\r\n");
    expect(error.message).toContain("PerSourcePenalties");
    expect(error.hint).toContain("PerSourcePenaltyExemptList");
    expect(error.retryAfterMs).toBe(60_000);
    expect(calls).toBe(1);
  });

  it("because too many log in: named, and asked again", async () => {
    const error = await refused("Exceeded MaxStartups\r\n");
    expect(error.message).toContain("MaxStartups");
    expect(calls).toBe(3);
  });

  it("without a word: both are possible", async () => {
    const error = await refused("");
    expect(error.hint).toContain("MaxStartups");
    expect(error.hint).toContain("PerSourcePenalties");
    expect(calls).toBe(3);
  });

  it.each(["HTTP/1.1 400 Bad Request\r\n\r\n", "220 mail.example.com ESMTP\r\n"])(
    "because it is something else: no SSH server (%s)",
    async (text) => {
      const error = await refused(text);
      expect(error.code).toBe("TARGET_PROTOCOL");
      expect(error.message).toContain("no SSH server");
      expect(calls).toBe(1);
    },
  );
});
