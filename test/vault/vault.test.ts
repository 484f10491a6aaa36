/** A call to a server: nothing of the environment is obeyed, nothing is followed, and nothing that was sent is told. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { inspect, promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import {
  closeVaultLines,
  createVault,
  type OpenVault,
  type VaultOptions,
} from "../../src/adapters/vault/create-vault.ts";
import type { VaultFailure } from "../../src/adapters/vault/failure.ts";
import { createKv } from "../../src/adapters/vault/kv.ts";
import type { VaultServer } from "../../src/adapters/vault/vault.ts";
import { SecretValue } from "../../src/core/secret-value.ts";
import { childProgram } from "../support/child-program.ts";
import { type PlayedServer, startPlayedServer } from "./played-server.ts";

const CANARY = "canary-9d4e";
const signal = new AbortController().signal;
const LOOKUP = {
  status: 200,
  json: { data: { ttl: 0, type: "service", policies: ["root"], expire_time: null } },
};
const READ = { method: "GET", path: ["kv", "data", "a"], writes: false } as const;
const OK = { status: 200, json: { data: {} } };

let server: PlayedServer;
let elsewhere: PlayedServer;

beforeAll(async () => {
  [server, elsewhere] = await Promise.all([startPlayedServer(() => OK), startPlayedServer(() => OK)]);
});
afterAll(async () => {
  await closeVaultLines();
  await Promise.all([server.close(), elsewhere.close()]);
});
beforeEach(() => {
  server.asked.length = 0;
  elsewhere.asked.length = 0;
  server.play = ({ path }) => (path.endsWith("/lookup-self") ? LOOKUP : OK);
});
afterEach(() => vi.unstubAllEnvs());

function vaultAt(server_: Partial<VaultServer> = {}, options: Partial<VaultOptions> = {}): OpenVault {
  return createVault({
    server: { address: server.address, namespace: null, caCertificate: null, ...server_ },
    credential: { kind: "token", token: SecretValue.of(`${CANARY}-token`) },
    ...options,
  });
}
const refusal = async (work: Promise<unknown>): Promise<VaultFailure> =>
  await work.then(
    () => expect.fail("nothing failed"),
    (error: VaultFailure) => error,
  );

describe("the environment", () => {
  it("is not obeyed: no VAULT_* and no proxy", async () => {
    for (const [name, value] of Object.entries({
      VAULT_ADDR: elsewhere.address,
      VAULT_TOKEN: "environment-token",
      VAULT_NAMESPACE: "environment-namespace",
      VAULT_PREFIX: "/environment-prefix",
      VAULT_SKIP_VERIFY: "1",
      HTTP_PROXY: elsewhere.address,
      http_proxy: elsewhere.address,
      HTTPS_PROXY: elsewhere.address,
      ALL_PROXY: elsewhere.address,
    }))
      vi.stubEnv(name, value);
    const vault = vaultAt();
    await vault.call(READ, signal);
    const approle = vaultAt(
      {},
      {
        credential: {
          kind: "approle",
          mount: "approle",
          roleId: SecretValue.of("r"),
          secretId: { kind: "plain", secretId: SecretValue.of("s") },
        },
      },
    );
    await refusal(approle.call(READ, signal));
    expect(elsewhere.asked).toHaveLength(0);
    expect(server.asked.map(({ path }) => path)).toEqual([
      "/v1/auth/token/lookup-self",
      "/v1/kv/data/a",
      "/v1/auth/approle/login",
    ]);
    for (const { headers } of server.asked) expect(JSON.stringify(headers)).not.toContain("environment");
    expect(server.asked[2]?.headers).not.toHaveProperty("x-vault-token");
  });
});

describe("a request", () => {
  it("says what every one says, and carries its own token", async () => {
    const vault = vaultAt();
    await vault.call({ ...READ, query: { version: "1&x" } }, signal);
    await vault.call({ method: "LIST", path: ["kv", "metadata"], writes: false }, signal);
    await vault.call({ method: "PATCH", path: ["kv", "data", "a"], body: { a: null }, writes: true }, signal);
    await vault.call({ method: "PUT", path: ["kv", "data", "a"], body: { a: 1 }, writes: true }, signal);
    expect(
      server.asked
        .slice(1)
        .map(({ method, path, headers, text }) => [method, path, headers["content-type"], text]),
    ).toEqual([
      ["GET", "/v1/kv/data/a?version=1%26x", undefined, ""],
      ["GET", "/v1/kv/metadata?list=true", undefined, ""],
      ["PATCH", "/v1/kv/data/a", "application/merge-patch+json", '{"a":null}'],
      ["PUT", "/v1/kv/data/a", "application/json", '{"a":1}'],
    ]);
    for (const { headers } of server.asked)
      expect(headers).toMatchObject({ "x-vault-request": "true", "x-vault-token": `${CANARY}-token` });
  });

  it("of two tokens at one server never carries the other's", async () => {
    const vaults = ["one", "two"].map((name) =>
      vaultAt({}, { credential: { kind: "token", token: SecretValue.of(name) } }),
    );
    for (const vault of [...vaults, ...vaults]) await vault.call(READ, signal);
    expect(server.asked.map(({ headers }) => headers["x-vault-token"])).toEqual([
      "one",
      "one",
      "two",
      "two",
      "one",
      "two",
    ]);
  });

  it.each([
    "http://vault.example.com:8200",
    "https://vault.example.com/path",
    "https://u:p@vault.example.com",
    "x",
  ])("is not made for %s", (address) => {
    expect(() => vaultAt({ address })).toThrow(expect.objectContaining({ verdict: "invalid" }));
  });

  it("to a path that the server would clean is not made", async () => {
    const vault = vaultAt();
    for (const path of [
      ["kv", ".."],
      ["kv", ""],
      ["kv", "a\nb"],
    ])
      expect(await refusal(vault.call({ ...READ, path }, signal))).toMatchObject({ verdict: "invalid" });
    expect(server.asked.filter(({ path }) => path.includes("kv"))).toEqual([]);
  });

  it("waits no longer than it may", async () => {
    server.play = () => "silence";
    const vault = vaultAt({}, { requestTimeoutMs: 20 });
    expect(await refusal(vault.call(READ, signal))).toMatchObject({ verdict: "later", status: null });
  });

  it.each([
    [false, "later"],
    [true, "outcome-unknown"],
  ])("that was given up when it was sent (writes: %s) is %s", async (writes, verdict) => {
    const vault = vaultAt();
    await vault.call(READ, signal);
    const given = new AbortController();
    server.play = () => {
      given.abort();
      return "silence";
    };
    expect(await refusal(vault.call({ ...READ, writes }, given.signal))).toMatchObject({
      verdict,
      status: null,
    });
  });

  it("that nobody takes was not done", async () => {
    const gone = await startPlayedServer(() => OK);
    const vault = vaultAt({ address: gone.address });
    await gone.close();
    expect(await refusal(vault.call({ ...READ, writes: true }, signal))).toMatchObject({ verdict: "later" });
  });
});

describe("a redirect", () => {
  it.each([
    [301, "protocol"],
    [302, "protocol"],
    // A standby's, which may be over with an election.
    [307, "later"],
    [308, "protocol"],
  ])("%i is not followed, with or without a body", async (status, verdict) => {
    const vault = vaultAt();
    await vault.call(READ, signal);
    server.play = () => ({ status, headers: { location: `${elsewhere.address}/v1/kv/data/a` } });
    expect(await refusal(vault.call(READ, signal))).toMatchObject({ verdict, status });
    const write = { ...READ, method: "POST", body: { a: 1 }, writes: true } as const;
    expect(await refusal(vault.call(write, signal))).toMatchObject({ verdict: "outcome-unknown", status });
    expect(elsewhere.asked).toHaveLength(0);
  });
});

describe("the index of a write", () => {
  it("is sent with later reads, so that an older node says that it is behind", async () => {
    const vault = vaultAt();
    server.play = ({ path, method }) => {
      if (path.endsWith("/lookup-self")) return LOOKUP;
      return method === "POST" ? { ...OK, headers: { "x-vault-index": "aW5kZXg=" } } : OK;
    };
    await vault.call(READ, signal);
    await vault.call({ ...READ, method: "POST", writes: true }, signal);
    await vault.call(READ, signal);
    expect(server.asked.map(({ headers }) => headers["x-vault-index"])).toEqual([
      undefined,
      undefined,
      undefined,
      "aW5kZXg=",
    ]);
    expect(server.asked.at(-1)?.headers["x-vault-inconsistent"]).toBe("forward-active-node");
  });

  it("that a node does not know yet is waited for, and not for ever", async () => {
    const vault = vaultAt({}, { random: () => 1, clock: atOnce });
    await vault.call(READ, signal);
    let behind = 2;
    const BEHIND = { status: 412, json: { errors: ["required index state not present"] } };
    server.play = () => (behind-- > 0 ? BEHIND : OK);
    await vault.call(READ, signal);
    behind = 100;
    expect(await refusal(vault.call(READ, signal))).toMatchObject({ verdict: "behind", status: 412 });
    expect(behind).toBe(97);
  });
});

/** Pauses that are over at once. */
const atOnce = {
  now: () => 0,
  after(_delayMs: number, act: () => void) {
    queueMicrotask(act);
    return () => undefined;
  },
};

describe("what was sent, and what was answered,", () => {
  const quoting = (text: string) => {
    const quoted = { errors: [`invalid secret_id "${text}"`, text] };
    return ({ path }: { readonly path: string }) => {
      if (path.includes("lookup-self")) return { status: 500, json: quoted };
      if (path.includes("html")) return { status: 200, text: `<html>${text}` };
      return path.includes("cut") ? ("cut-within" as const) : { status: 400, json: quoted };
    };
  };

  it("stands in no failure", async () => {
    server.play = (asked) =>
      asked.path.endsWith("/lookup-self")
        ? LOOKUP
        : quoting(`${CANARY} ${asked.text} ${JSON.stringify(asked.headers)}`)(asked);
    const vault = vaultAt();
    const kv = createKv(vault);
    for (const path of ["quoted", "cut", "html"]) {
      const write = {
        method: "POST",
        path: ["kv", path],
        body: { a: `${CANARY}-value` },
        writes: true,
      } as const;
      for (const failure of [
        await refusal(vault.call(write, signal)),
        await refusal(kv.read({ mount: "kv", path }, signal)),
      ])
        expect(
          inspect(failure, { depth: 20, showHidden: true }) + JSON.stringify(failure) + failure.stack,
        ).not.toContain(CANARY);
    }
    expect(inspect(vault, { depth: 20, showHidden: true }) + JSON.stringify(vault)).not.toContain(CANARY);
  });

  it("stands in nothing that a process writes, with every debugging variable set; and it ends by itself", async () => {
    server.play = (asked) => quoting(`${CANARY} ${asked.text} ${JSON.stringify(asked.headers)}`)(asked);
    const program = await childProgram(join(import.meta.dirname, "talking-process.ts"));
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [program, server.address, CANARY],
      {
        env: { ...process.env, DEBUG: "*", NODE_DEBUG: "http,https,net,tls,timer,fetch" },
        maxBuffer: 64 * 1024 * 1024,
        timeout: 20_000,
      },
    );
    expect(server.asked.length).toBeGreaterThan(5);
    expect(stdout).toContain("VaultFailure");
    expect(stdout).not.toContain(CANARY);
    expect(stderr).not.toContain(CANARY);
  });
});

it("after all lines were closed others are opened", async () => {
  const vault = vaultAt();
  await vault.call(READ, signal);
  await closeVaultLines();
  await vault.call(READ, signal);
  expect(new Set(server.asked.map(({ line }) => line)).size).toBe(2);
});
