/** Services that only their own host reaches are asked from there, over a real SSH server. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { closeSshConnections, sshKind } from "../../../src/adapters/targets/ssh/target.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import type { Target } from "../../../src/core/ports/target.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { createVerifier, usageEndpoint } from "../../../src/sdk/verify.ts";
import { lacks } from "../../support/servers.ts";
import { type RunningSshd, type SshdOptions, startSshd } from "../../support/sshd.ts";

const CANARY = "canary-from-host-51";

describe.skipIf(lacks("sshd"))("asking from the host", () => {
  const servers: (Server | TcpServer)[] = [];
  const targets: Target[] = [];
  let sshd: RunningSshd;
  beforeAll(async () => {
    sshd = await startSshd();
  });
  afterEach(async () => {
    for (const target of targets.splice(0)) await target.close();
    for (const server of servers.splice(0)) {
      server.close();
      if ("closeAllConnections" in server) server.closeAllConnections();
      await once(server, "close");
    }
  });
  afterAll(async () => {
    await closeSshConnections();
    await sshd.stop();
  });

  async function listen<T extends Server | TcpServer>(server: T): Promise<number> {
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return (server.address() as AddressInfo).port;
  }

  function open(at: RunningSshd, more: JsonObject = {}): Target {
    const { config, credentials } = sshKind.parse({
      ssh: {
        host: at.host,
        port: at.port,
        user: at.user,
        hostKey: at.hostKey,
        privateKey: at.clientKey.privateKey,
        ...more,
      },
      files: [{ path: "~/env", format: "dotenv" }],
    });
    const target = sshKind.open(config, credentials, {
      targetName: "api",
      budget: { take: async () => {}, report: async () => {} },
      storeId: "0b9f1a52-6c1d-4a7e-9d57-4a1c2e3f5a6b",
      revisionMarker: true,
    });
    targets.push(target);
    return target;
  }

  const ask = async (target: Target, spec: JsonObject, value = CANARY) => {
    const answer = await target.prober?.probe(spec, SecretValue.of(value), AbortSignal.timeout(20_000));
    if (answer === undefined) throw new Error("nobody asks there");
    expect(answer.reason).not.toContain("canary");
    return answer;
  };
  const http = (port: number, more: JsonObject = {}): JsonObject => ({
    http: {
      url: `http://127.0.0.1:${port}/`,
      headers: { "X-Internal-Secret": "{{value}}" },
      accepted: [200],
      refused: [401],
      from: "target",
      ...more,
    },
  });
  const verifier = () =>
    createServer((incoming, response) =>
      response.writeHead(incoming.headers["x-internal-secret"] === CANARY ? 200 : 401).end(),
    );

  it("tells what the service there accepts and refuses, on connections of the host", async () => {
    const peers: (number | undefined)[] = [];
    const server = verifier();
    server.on("connection", (socket: Socket) => peers.push(socket.remotePort));
    const port = await listen(server);
    const target = open(sshd);
    expect(await ask(target, http(port, { connections: 3 }))).toEqual({
      verdict: "accepted",
      reason: "answered 200, on all of 3 connections",
    });
    expect(await ask(target, http(port), "another")).toMatchObject({ verdict: "refused" });
    expect(new Set(peers).size).toBe(4);
  });

  it("cannot tell where nothing listens", async () => {
    const port = await listen(verifier());
    const [server] = servers.splice(0);
    server?.close();
    expect(await ask(open(sshd), http(port))).toEqual({
      verdict: "cannot-tell",
      reason: "no connection: nothing listens there on the host",
    });
  });

  it("ends a connection that gets no answer, and the next question is asked on the same line", async () => {
    const sockets: Socket[] = [];
    const silent = await listen(
      createTcpServer((socket) => void sockets.push(socket.on("error", () => {}).resume())),
    );
    const port = await listen(verifier());
    const target = open(sshd);
    expect((await ask(target, http(silent, { timeoutSeconds: 1 }))).reason).toBe("no answer within 1 s");
    await expect
      .poll(() => sockets.every(({ readableEnded, destroyed }) => readableEnded || destroyed))
      .toBe(true);
    for (const socket of sockets) socket.destroy();
    const logins = sshd.log().split("Accepted publickey").length;
    expect((await ask(target, http(port))).verdict).toBe("accepted");
    expect(sshd.log().split("Accepted publickey")).toHaveLength(logins);
  });

  it("does not ask for the server what only the server may", async () => {
    const port = await listen(verifier());
    expect((await ask(open(sshd), http(port, { from: "server" }))).verdict).toBe("cannot-tell");
  });

  it("reads use counts that only the host reaches", async () => {
    const verifier = createVerifier({ name: "KEY", source: () => ({ primary: CANARY }) });
    const token = "token-of-the-endpoint";
    const port = await listen(createServer(usageEndpoint(verifier, { token })));
    const asked = { tokens: [SecretValue.of(token)], versions: new Map([[3, SecretValue.of(CANARY)]]) };
    const spec = { url: `http://127.0.0.1:${port}/usage`, token: "TOKEN", from: "target" };
    const answer = await open(sshd).usageReader?.readUsage(spec, asked, AbortSignal.timeout(20_000));
    expect(answer).toMatchObject({ state: "told", holds: [3] });
  });

  it("runs a command there, which gets the value over stdin", async () => {
    const run = ["/bin/sh", "-c", `[ "$(cat)" = '${CANARY.slice(0, 6)}'-from-host-51 ]`];
    const command = { command: { run, accepted: [0], refused: [1] } };
    const target = open(sshd);
    expect((await ask(target, command)).verdict).toBe("accepted");
    expect((await ask(target, command, "another")).verdict).toBe("refused");
  });

  const withSshd = async (options: SshdOptions, work: (at: RunningSshd) => Promise<void>) => {
    const other = await startSshd(options);
    try {
      await work(other);
    } finally {
      await closeAll();
      await other.stop();
    }
  };
  const closeAll = async () => {
    for (const target of targets.splice(0)) await target.close();
  };

  it("says when the host forwards no connections", async () => {
    const port = await listen(verifier());
    await withSshd({ lines: ["AllowTcpForwarding no"] }, async (closed) => {
      const { verdict, reason } = await ask(open(closed), http(port));
      expect(verdict).toBe("cannot-tell");
      expect(reason).toContain("AllowTcpForwarding");
    });
  });

  it("asks over HTTP with an account for SFTP alone, and runs no command with it", async () => {
    const port = await listen(verifier());
    await withSshd({ sftpOnly: true }, async (sftp) => {
      const target = open(sftp, { sftpOnly: true });
      expect((await ask(target, http(port))).verdict).toBe("accepted");
      const command = { command: { run: ["/bin/true"], accepted: [0], refused: [1] } };
      expect((await ask(target, command)).verdict).toBe("cannot-tell");
    });
  });

  it("is offered at apply exactly where it is possible", () => {
    const ways = (sftpOnly: boolean) =>
      sshKind.probesThere?.(
        sshKind.parse({
          ssh: {
            host: "h",
            user: "u",
            hostKey: sshd.hostKey,
            privateKey: sshd.clientKey.privateKey,
            sftpOnly,
          },
          files: [{ path: "~/env", format: "dotenv" }],
        }).config,
      );
    expect(ways(false)).toEqual(["http", "command"]);
    expect(ways(true)).toEqual(["http"]);
  });
});
