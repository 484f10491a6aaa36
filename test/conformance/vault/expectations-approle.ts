/** Logging in by AppRole, with plain and with wrapped secret ids. */
import { expect } from "vitest";
import type { Expectation } from "./expectations.ts";
import type { ExpectedServer } from "./server.ts";
import { isDone, type JsonObject, objectIn, textIn } from "./wire.ts";

interface Role {
  readonly name: string;
  readonly roleId: string;
}

async function newRole(server: ExpectedServer, settings: JsonObject = {}): Promise<Role> {
  const name = server.fresh();
  const path = `auth/${server.approle}/role/${name}`;
  const body = { token_ttl: "5m", token_policies: ["default"], ...settings };
  expect(isDone(await server.ask("POST", path, { body }))).toBe(true);
  return { name, roleId: textIn((await server.ask("GET", `${path}/role-id`)).data, "role_id") };
}

async function newSecretId(server: ExpectedServer, { name }: Role, body: JsonObject = {}): Promise<string> {
  const { data } = await server.ask("POST", `auth/${server.approle}/role/${name}/secret-id`, { body });
  return textIn(data, "secret_id");
}

async function newWrapped(server: ExpectedServer, { name }: Role): Promise<string> {
  const { json } = await server.ask("POST", `auth/${server.approle}/role/${name}/secret-id`, {
    headers: { "x-vault-wrap-ttl": "60s" },
    body: {},
  });
  expect(json?.["data"]).toBeNull();
  return textIn(objectIn(json, "wrap_info"), "token");
}

const logIn = (server: ExpectedServer, role_id: string, secret_id: string) =>
  server.ask("POST", `auth/${server.approle}/login`, { token: null, body: { role_id, secret_id } });
const REFUSED = /^invalid (?:role or secret ID|role ID|secret id)$/;

export const APPROLE: readonly Expectation[] = [
  {
    name: "a login answers an orphan token of the role's",
    async check(server) {
      const role = await newRole(server, { token_max_ttl: "10m" });
      const { status, json } = await logIn(server, role.roleId, await newSecretId(server, role));
      expect(status).toBe(200);
      const auth = objectIn(json, "auth");
      expect(auth).toMatchObject({
        lease_duration: 300,
        renewable: true,
        token_type: "service",
        policies: ["default"],
      });
      const token = textIn(auth, "client_token");
      const { data } = await server.ask("GET", "auth/token/lookup-self", { token });
      expect(data).toMatchObject({ path: `auth/${server.approle}/login`, orphan: true, explicit_max_ttl: 0 });
      const renewed = await server.ask("POST", "auth/token/renew-self", {
        token,
        body: { increment: "3600s" },
      });
      expect(objectIn(renewed.json, "auth")["lease_duration"]).toBeLessThanOrEqual(600);
      expect(renewed.json?.["warnings"]).toEqual([expect.stringContaining("exceeded the effective max_ttl")]);
    },
  },
  {
    name: "wrong ids are refused with 400, missing ones by name",
    async check(server) {
      const role = await newRole(server);
      for (const [roleId, secretId] of [
        ["no-such", "no-such"],
        [role.roleId, "no-such"],
      ] as const) {
        const { status, errors } = await logIn(server, roleId, secretId);
        expect([status, errors]).toEqual([400, [expect.stringMatching(REFUSED)]]);
      }
      expect((await logIn(server, "", "x")).errors).toEqual(["missing role_id"]);
      expect((await logIn(server, role.roleId, "")).errors).toEqual(["missing secret_id"]);
    },
  },
  {
    name: "a secret id of another role is none",
    async check(server) {
      const [one, other] = [await newRole(server), await newRole(server)];
      const { status, errors } = await logIn(server, one.roleId, await newSecretId(server, other));
      expect([status, errors]).toEqual([400, [expect.stringMatching(REFUSED)]]);
    },
  },
  {
    name: "a secret id of one use is spent by it",
    async check(server) {
      const role = await newRole(server, { secret_id_num_uses: 1 });
      const secretId = await newSecretId(server, role);
      expect((await logIn(server, role.roleId, secretId)).status).toBe(200);
      const again = await logIn(server, role.roleId, secretId);
      expect([again.status, again.errors]).toEqual([400, [expect.stringMatching(REFUSED)]]);
    },
  },
  {
    name: "an address that is not the role's is refused by its name",
    async check(server) {
      const role = await newRole(server, { secret_id_bound_cidrs: ["203.0.113.0/24"] });
      const { status, errors } = await logIn(server, role.roleId, await newSecretId(server, role));
      expect([status, errors]).toEqual([400, [expect.stringMatching(/^source address ".*" unauthorized/)]]);
    },
  },
  {
    name: "a role that was removed ends the logins and the renewals, and not the token",
    async check(server) {
      const role = await newRole(server);
      const secretId = await newSecretId(server, role);
      const { json } = await logIn(server, role.roleId, secretId);
      const token = textIn(objectIn(json, "auth"), "client_token");
      await server.ask("DELETE", `auth/${server.approle}/role/${role.name}`);
      const renewed = await server.ask("POST", "auth/token/renew-self", {
        token,
        body: { increment: "60s" },
      });
      expect(renewed.status).toBe(500);
      expect(renewed.errors?.[0]).toContain("does not exist during renewal");
      expect((await server.ask("GET", "auth/token/lookup-self", { token })).status).toBe(200);
      expect((await logIn(server, role.roleId, secretId)).status).toBe(400);
      await server.ask("POST", "auth/token/revoke-self", { token });
    },
  },
  {
    name: "a role may give periodic and batch tokens",
    async check(server) {
      const periodic = await newRole(server, { token_period: "10m" });
      const one = await logIn(server, periodic.roleId, await newSecretId(server, periodic));
      const token = textIn(objectIn(one.json, "auth"), "client_token");
      expect((await server.ask("GET", "auth/token/lookup-self", { token })).data["period"]).toBe(600);
      await server.ask("POST", "auth/token/revoke-self", { token });
      const batch = await newRole(server, { token_type: "batch", token_ttl: "1m" });
      const two = await logIn(server, batch.roleId, await newSecretId(server, batch));
      expect(objectIn(two.json, "auth")).toMatchObject({ token_type: "batch", renewable: false });
    },
  },
  {
    name: "a wrapping token tells where it comes from without a token, opens once, and then never again",
    async check(server) {
      const role = await newRole(server);
      const token = await newWrapped(server, role);
      const look = () => server.ask("POST", "sys/wrapping/lookup", { token: null, body: { token } });
      const looked = await look();
      expect(looked.status).toBe(200);
      expect(looked.data).toMatchObject({
        creation_path: `auth/${server.approle}/role/${role.name}/secret-id`,
        creation_ttl: 60,
      });
      const unwrapped = await server.ask("POST", "sys/wrapping/unwrap", { token });
      expect(unwrapped.status).toBe(200);
      const secretId = textIn(unwrapped.data, "secret_id");
      expect((await logIn(server, role.roleId, secretId)).status).toBe(200);
      for (const answer of [await look(), await server.ask("POST", "sys/wrapping/unwrap", { token })])
        expect([answer.status, answer.errors]).toEqual([
          400,
          ["wrapping token is not valid or does not exist"],
        ]);
    },
  },
  {
    name: "of two who unwrap at once, one gets it",
    async check(server) {
      const token = await newWrapped(server, await newRole(server));
      const both = await Promise.all([1, 2].map(() => server.ask("POST", "sys/wrapping/unwrap", { token })));
      const got = both.filter(({ status, data }) => status === 200 && textIn(data, "secret_id") !== "");
      expect(got).toHaveLength(1);
    },
  },
];
