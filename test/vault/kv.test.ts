import { afterAll, expect, it } from "vitest";
import { closeVaultLines, createVault } from "../../src/adapters/vault/create-vault.ts";
import { createKv } from "../../src/adapters/vault/kv.ts";
import { SecretValue } from "../../src/core/secret-value.ts";
import { startPlayedServer } from "./played-server.ts";

const server = await startPlayedServer(({ path, method }) => {
  if (path === "/v1/auth/approle/login")
    return { status: 200, json: { auth: { client_token: "tok-1", lease_duration: 3600, renewable: true } } };
  if (path === "/v1/sys/internal/ui/mounts/kv")
    return { status: 200, json: { data: { type: "kv", options: { version: "2" } } } };
  if (path === "/v1/kv/data/a%20b/c" && method === "POST")
    return { status: 200, json: { data: { version: 1, created_time: "t", deletion_time: "" } } };
  return { status: 404, json: { errors: [] } };
});
afterAll(async () => {
  await closeVaultLines();
  await server.close();
});

it("writes", async () => {
  const vault = createVault({
    server: { address: server.address, namespace: null, caCertificate: null },
    credential: {
      kind: "approle",
      mount: "approle",
      roleId: SecretValue.of("r"),
      secretId: { kind: "plain", secretId: SecretValue.of("s") },
    },
  });
  const kv = createKv(vault);
  const signal = new AbortController().signal;
  expect(await kv.write({ mount: "kv", path: "a b/c" }, { x: "y" }, 0, signal)).toMatchObject({ version: 1 });
  expect(await kv.read({ mount: "kv", path: "z" }, signal)).toEqual({ state: "absent" });
  expect(new Set(server.asked.map(({ line }) => line)).size).toBe(1);
});
