/** The own token: what it is, how it is renewed, how it ends. */
import { expect } from "vitest";
import type { Expectation } from "./expectations.ts";
import type { ExpectedServer } from "./server.ts";
import { isDone, type JsonObject, objectIn, POLICY_REFUSAL, textIn } from "./wire.ts";

async function create(server: ExpectedServer, body: JsonObject): Promise<string> {
  const answer = await server.createToken({ policies: ["default"], ...body });
  const token = textIn(objectIn(answer.json, "auth"), "client_token");
  expect([answer.status, token === ""]).toEqual([200, false]);
  return token;
}

const lookup = (server: ExpectedServer, token: string | null) =>
  server.ask("GET", "auth/token/lookup-self", { token });
const renew = (server: ExpectedServer, token: string, increment: string) =>
  server.ask("POST", "auth/token/renew-self", { token, body: { increment } });

export const TOKENS: readonly Expectation[] = [
  {
    name: "a service token tells its life",
    async check(server) {
      const token = await create(server, { ttl: "5m" });
      const { status, data } = await lookup(server, token);
      expect(status).toBe(200);
      expect(data).toMatchObject({
        type: "service",
        creation_ttl: 300,
        explicit_max_ttl: 0,
        renewable: true,
        num_uses: 0,
        orphan: false,
        policies: ["default"],
        path: "auth/token/create",
      });
      expect(data["ttl"]).toBeGreaterThan(200);
      expect(data["ttl"]).toBeLessThanOrEqual(300);
      expect(Date.parse(textIn(data, "expire_time"))).toBeGreaterThan(0);
      expect(data).not.toHaveProperty("period");
    },
  },
  {
    name: "the strong token of this run may look itself up",
    async check(server) {
      const { status, data } = await server.ask("GET", "auth/token/lookup-self");
      expect(status).toBe(200);
      if (data["expire_time"] === null) expect(data["ttl"]).toBe(0);
    },
  },
  {
    name: "a token that is wrong is refused otherwise than by a policy; none at all too",
    async check(server) {
      const wrong = await lookup(server, `s.${server.fresh().replaceAll("-", "")}`);
      expect(wrong.status).toBe(403);
      expect(wrong.errors?.[0]).toContain("permission denied");
      expect(wrong.errors).not.toEqual([POLICY_REFUSAL]);
      const none = await lookup(server, null);
      expect([
        [403, "permission denied"],
        [400, "missing client token"],
      ]).toContainEqual([none.status, none.errors?.[0]]);
    },
  },
  {
    name: "a renewal grants what was asked, and answers the token",
    async check(server) {
      const token = await create(server, { ttl: "5m" });
      const { status, json } = await renew(server, token, "3600s");
      expect(status).toBe(200);
      expect(objectIn(json, "auth")).toMatchObject({
        client_token: token,
        lease_duration: 3600,
        renewable: true,
      });
    },
  },
  {
    name: "renewals shrink towards an explicit maximum, with a warning, and still say renewable",
    async check(server) {
      const token = await create(server, { ttl: "1m", explicit_max_ttl: "2m" });
      const { status, json } = await renew(server, token, "3600s");
      expect(status).toBe(200);
      const auth = objectIn(json, "auth");
      expect(auth["renewable"]).toBe(true);
      expect(auth["lease_duration"]).toBeLessThanOrEqual(120);
      expect(auth["lease_duration"]).toBeGreaterThan(60);
      expect(json?.["warnings"]).toEqual([expect.stringContaining("exceeded the effective max_ttl")]);
      expect((await lookup(server, token)).data["explicit_max_ttl"]).toBe(120);
    },
  },
  {
    name: "a periodic token gets its period, whatever is asked",
    async check(server) {
      const token = await create(server, { period: "10m" });
      expect((await lookup(server, token)).data).toMatchObject({ period: 600, creation_ttl: 600 });
      const { json } = await renew(server, token, "5s");
      expect(objectIn(json, "auth")["lease_duration"]).toBe(600);
    },
  },
  {
    name: "a batch token can neither be renewed nor revoked",
    async check(server) {
      const token = await create(server, { type: "batch", ttl: "1m" });
      expect((await lookup(server, token)).data).toMatchObject({ type: "batch", renewable: false });
      const renewed = await renew(server, token, "60s");
      expect([renewed.status, renewed.errors]).toEqual([400, ["batch tokens cannot be renewed"]]);
      const revoked = await server.ask("POST", "auth/token/revoke-self", { token });
      expect(revoked.status).toBe(400);
    },
  },
  {
    name: "a token that is not renewable is refused, and lives on",
    async check(server) {
      const token = await create(server, { renewable: false });
      const { status, errors } = await renew(server, token, "60s");
      expect([status, errors]).toEqual([400, ["lease is not renewable"]]);
      expect((await lookup(server, token)).data["renewable"]).toBe(false);
    },
  },
  {
    name: "a token revokes itself, and is then as one that never was",
    async check(server) {
      const token = await create(server, {});
      expect(isDone(await server.ask("POST", "auth/token/revoke-self", { token }))).toBe(true);
      expect((await lookup(server, token)).status).toBe(403);
    },
  },
  {
    name: "a child ends with its parent, an orphan does not",
    async check(server) {
      const hcl = ["create", "create-orphan"]
        .map((path) => `path "auth/token/${path}" { capabilities = ["update", "sudo"] }`)
        .join("\n");
      const parent = await server.tokenFor(
        `${hcl}\npath "auth/token/revoke-self" { capabilities = ["update"] }`,
      );
      const make = async (path: string) => {
        const { json } = await server.ask("POST", `auth/token/${path}`, {
          token: parent,
          body: { policies: ["default"], ttl: "1m" },
        });
        return textIn(objectIn(json, "auth"), "client_token");
      };
      const [child, orphan] = [await make("create"), await make("create-orphan")];
      expect((await lookup(server, orphan)).data["orphan"]).toBe(true);
      await server.ask("POST", "auth/token/revoke-self", { token: parent });
      expect((await lookup(server, child)).status).toBe(403);
      expect((await lookup(server, orphan)).status).toBe(200);
      await server.ask("POST", "auth/token/revoke-self", { token: orphan });
    },
  },
  {
    name: "uses run out, refusals included",
    async check(server) {
      const token = await create(server, { num_uses: 3 });
      expect((await lookup(server, token)).data["num_uses"]).toBe(2);
      expect((await server.ask("GET", `${server.kv}/data/x`, { token })).status).toBe(403);
      const last = await server.ask("POST", "sys/capabilities-self", { token, body: { paths: ["x"] } });
      expect(last.status).toBe(200);
      expect((await lookup(server, token)).status).toBe(403);
    },
  },
];
