/** Health, namespaces, odd paths, and the forms of answers. */
import { expect } from "vitest";
import type { Expectation } from "./expectations.ts";

export const SYSTEM: readonly Expectation[] = [
  {
    name: "health needs no token and tells the state",
    async check(server) {
      const { status, json } = await server.ask("GET", "sys/health", { token: null });
      expect([200, 429, 473]).toContain(status);
      expect(json).toMatchObject({ initialized: true, sealed: false, standby: expect.any(Boolean) });
      expect(json?.["version"]).toMatch(/^\d+\.\d+\.\d+/);
      expect(Math.abs(Number(json?.["server_time_utc"]) - Date.now() / 1000)).toBeLessThan(300);
    },
  },
  {
    name: "a doubled slash is redirected, not served",
    async check(server) {
      const { status, headers } = await server.ask("GET", `${server.kv}//data/x`);
      expect([301, 307, 308]).toContain(status);
      expect(headers.get("location")).toContain(`/v1/${server.kv}/data/x`);
    },
  },
  {
    name: "a control character in a path is refused",
    async check(server) {
      expect((await server.ask("GET", `${server.kv}/data/a%0Ab`)).status).toBe(400);
    },
  },
  {
    name: "a body that is no JSON object is refused before anything happens",
    async check(server) {
      for (const body of ["{", "[1]"]) {
        const response = await fetch(`${server.address}/v1/${server.kv}/data/${server.fresh()}`, {
          method: "POST",
          headers: { "x-vault-request": "true", "x-vault-token": "s.whoever" },
          body,
        });
        expect(response.status).toBe(400);
        await response.text();
      }
    },
  },
  {
    name: "a namespace that does not exist is refused, or every namespace is ignored",
    async check(server) {
      const headers = { "x-vault-namespace": server.fresh() };
      const { status } = await server.ask("GET", "auth/token/lookup-self", { headers });
      if (server.features.namespaces) expect([403, 404]).toContain(status);
      else expect(status).toBe(200);
    },
  },
  {
    name: "a token that is wrong learns nothing of mounts",
    async check(server) {
      const token = `s.${server.fresh().replaceAll("-", "")}`;
      const { status, errors } = await server.ask("GET", `sys/internal/ui/mounts/${server.kv}`, { token });
      expect([status, errors]).toEqual([403, [expect.stringMatching(/permission denied|preflight/)]]);
    },
  },
  {
    name: "no answer may be cached",
    async check(server) {
      const { headers } = await server.ask("GET", "auth/token/lookup-self");
      expect(headers.get("cache-control")).toBe("no-store");
      expect(headers.get("content-type")).toContain("application/json");
    },
  },
  {
    name: "unknown parameters are ignored, perhaps with a warning: 200 where 204 was",
    async check(server) {
      const path = `${server.kv}/metadata/${server.fresh()}`;
      const answer = await server.ask("POST", path, { body: { max_versions: 2, no_such_parameter: 1 } });
      expect([200, 204]).toContain(answer.status);
      if (answer.status === 200)
        expect(answer.json?.["warnings"]).toEqual([expect.stringContaining("no_such_parameter")]);
      expect((await server.ask("GET", path)).data["max_versions"]).toBe(2);
    },
  },
];
