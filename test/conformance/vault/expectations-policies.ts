/** That policies give what they say and nothing else: the least that Lockstep asks for must be enough, and less must not. */
import { expect } from "vitest";
import type { Expectation } from "./expectations.ts";
import type { ExpectedServer } from "./server.ts";
import { isDone, POLICY_REFUSAL } from "./wire.ts";

type Rights = Readonly<Record<string, readonly string[]>>;

function hcl(rights: Rights): string {
  return Object.entries(rights)
    .map(
      ([path, words]) => `path "${path}" { capabilities = [${words.map((word) => `"${word}"`).join(", ")}] }`,
    )
    .join("\n");
}

async function asker(server: ExpectedServer, rights: Rights) {
  const token = await server.tokenFor(hcl(rights));
  return async (method: string, path: string, body?: unknown): Promise<number> => {
    const answer = await server.ask(method, path, { token, body });
    const { status, errors } = answer;
    if (isDone(answer)) return 204;
    if (status === 403) expect(errors).toEqual([POLICY_REFUSAL]);
    return status;
  };
}

const WRITE = { options: { cas: 0 }, data: { A: "1" } };

export const POLICIES: readonly Expectation[] = [
  {
    name: "create without update writes what is new, and overwrites nothing, soft-deleted keys included",
    async check(server) {
      const path = server.fresh();
      const data = `${server.kv}/data/${path}`;
      const ask = await asker(server, { [`${server.kv}/data/*`]: ["create", "read"] });
      expect(await ask("POST", data, WRITE)).toBe(200);
      expect(await ask("GET", data)).toBe(200);
      expect(await ask("POST", data, { options: { cas: 1 }, data: { A: "2" } })).toBe(403);
      await server.ask("DELETE", data);
      expect(await ask("POST", data, { options: { cas: 1 }, data: { A: "2" } })).toBe(403);
      expect(await ask("DELETE", data)).toBe(403);
      expect(await ask("LIST", `${server.kv}/metadata`)).toBe(403);
    },
  },
  {
    name: "update without create does not write what is new",
    async check(server) {
      const path = `${server.kv}/data/${server.fresh()}`;
      const ask = await asker(server, { [`${server.kv}/data/*`]: ["update"] });
      expect(await ask("POST", path, WRITE)).toBe(403);
      await server.ask("POST", path, { body: WRITE });
      expect(await ask("POST", path, { options: { cas: 1 }, data: {} })).toBe(200);
    },
  },
  {
    name: "metadata that was written first turns a create into an update",
    async check(server) {
      const path = server.fresh();
      await server.ask("POST", `${server.kv}/metadata/${path}`, { body: { max_versions: 3 } });
      const ask = await asker(server, { [`${server.kv}/data/*`]: ["create"] });
      expect(await ask("POST", `${server.kv}/data/${path}`, WRITE)).toBe(403);
    },
  },
  {
    name: "destroy needs update on its own path",
    async check(server) {
      const path = server.fresh();
      await server.ask("POST", `${server.kv}/data/${path}`, { body: WRITE });
      const ask = await asker(server, {
        [`${server.kv}/destroy/*`]: ["update"],
        [`${server.kv}/metadata/*`]: ["read", "delete"],
      });
      expect(await ask("POST", `${server.kv}/delete/${path}`, { versions: [1] })).toBe(403);
      expect(await ask("POST", `${server.kv}/destroy/${path}`, { versions: [1] })).toBe(204);
      expect(await ask("GET", `${server.kv}/metadata/${path}`)).toBe(200);
      expect(await ask("DELETE", `${server.kv}/metadata/${path}`)).toBe(204);
    },
  },
  {
    name: "a star at the end covers what begins so, also the folder's list; the path before the slash it does not",
    async check(server) {
      const folder = server.fresh();
      await server.ask("POST", `${server.kv}/data/${folder}/a`, { body: WRITE });
      const ask = await asker(server, {
        [`${server.kv}/metadata/${folder}/*`]: ["list"],
        [`${server.kv}/data/${folder}/*`]: ["read"],
      });
      expect(await ask("LIST", `${server.kv}/metadata/${folder}`)).toBe(200);
      expect(await ask("GET", `${server.kv}/data/${folder}/a`)).toBe(200);
      expect(await ask("GET", `${server.kv}/data/${folder}`)).toBe(403);
      expect(await ask("GET", `${server.kv}/data/${folder}b`)).toBe(403);
    },
  },
  {
    name: "a list is allowed by its path with and without the slash",
    async check(server) {
      const folder = server.fresh();
      await server.ask("POST", `${server.kv}/data/${folder}/a`, { body: WRITE });
      for (const tail of ["", "/"]) {
        const ask = await asker(server, { [`${server.kv}/metadata/${folder}${tail}`]: ["list"] });
        expect(await ask("LIST", `${server.kv}/metadata/${folder}`)).toBe(200);
        expect(await ask("GET", `${server.kv}/metadata/${folder}?list=true`)).toBe(200);
        expect(await ask("GET", `${server.kv}/metadata/${folder}`)).toBe(403);
      }
    },
  },
  {
    name: "a plus stands for one segment",
    async check(server) {
      const folder = server.fresh();
      for (const path of ["a/x", "b/x", "a/b/x"])
        await server.ask("POST", `${server.kv}/data/${folder}/${path}`, { body: WRITE });
      const ask = await asker(server, { [`${server.kv}/data/${folder}/+/x`]: ["read"] });
      expect(await ask("GET", `${server.kv}/data/${folder}/a/x`)).toBe(200);
      expect(await ask("GET", `${server.kv}/data/${folder}/b/x`)).toBe(200);
      expect(await ask("GET", `${server.kv}/data/${folder}/a/b/x`)).toBe(403);
    },
  },
  {
    name: "the most specific path alone decides: exact before prefix, longer before shorter, prefix before plus",
    async check(server) {
      const folder = server.fresh();
      for (const path of ["a", "ab/c", "z/c"])
        await server.ask("POST", `${server.kv}/data/${folder}/${path}`, { body: WRITE });
      const at = `${server.kv}/data/${folder}`;
      const ask = await asker(server, {
        [`${at}/*`]: ["read"],
        [`${at}/a`]: ["update"],
        [`${at}/ab*`]: ["update"],
        [`${at}/+/c`]: ["delete"],
      });
      expect(await ask("GET", `${at}/a`)).toBe(403);
      expect(await ask("GET", `${at}/ab/c`)).toBe(403);
      // "+" begins where "*" does, and is no prefix: it wins.
      expect(await ask("GET", `${at}/z/c`)).toBe(403);
      expect(await ask("DELETE", `${at}/z/c`)).toBe(204);
    },
  },
  {
    name: "deny takes away what others give, at the same path and through several policies",
    async check(server) {
      const path = server.fresh();
      await server.ask("POST", `${server.kv}/data/${path}`, { body: WRITE });
      const policies = [
        await server.policyFor(hcl({ [`${server.kv}/data/*`]: ["read"] })),
        await server.policyFor(hcl({ [`${server.kv}/data/*`]: ["deny"] })),
      ];
      const made = await server.createToken({ policies, no_default_policy: true });
      const token = String((made.json?.["auth"] as { client_token?: unknown } | null)?.client_token);
      const { status, errors } = await server.ask("GET", `${server.kv}/data/${path}`, { token });
      expect([status, errors]).toEqual([403, [POLICY_REFUSAL]]);
    },
  },
  {
    name: "the rights of several policies at one path come together",
    async check(server) {
      const path = `${server.kv}/data/${server.fresh()}`;
      const policies = [
        await server.policyFor(hcl({ [`${server.kv}/data/*`]: ["read"] })),
        await server.policyFor(hcl({ [`${server.kv}/data/*`]: ["create"] })),
      ];
      const made = await server.createToken({ policies, no_default_policy: true });
      const token = String((made.json?.["auth"] as { client_token?: unknown } | null)?.client_token);
      expect((await server.ask("POST", path, { token, body: WRITE })).status).toBe(200);
      expect((await server.ask("GET", path, { token })).status).toBe(200);
    },
  },
  {
    name: "a token tells what it may do",
    async check(server) {
      const token = await server.tokenFor(
        hcl({
          [`${server.kv}/data/app/*`]: ["create", "read"],
          "sys/capabilities-self": ["update"],
        }),
      );
      const paths = [`${server.kv}/data/app/x`, `${server.kv}/data/other`];
      const { status, data } = await server.ask("POST", "sys/capabilities-self", { token, body: { paths } });
      expect(status).toBe(200);
      expect(data[paths[0] ?? ""]).toEqual(["create", "read"]);
      expect(data[paths[1] ?? ""]).toEqual(["deny"]);
    },
  },
  {
    name: "any right below a mount lets its version be asked for, and none does not",
    async check(server) {
      const some = await asker(server, { [`${server.kv}/data/${server.fresh()}`]: ["read"] });
      expect(await some("GET", `sys/internal/ui/mounts/${server.kv}`)).toBe(200);
      const token = await server.tokenFor(hcl({ "sys/capabilities-self": ["update"] }));
      const { status, errors } = await server.ask("GET", `sys/internal/ui/mounts/${server.kv}/a`, { token });
      expect(status).toBe(403);
      expect(errors?.[0]).toContain("preflight capability check returned 403");
    },
  },
  {
    name: "without the default policy a token may not even look itself up",
    async check(server) {
      const ask = await asker(server, { [`${server.kv}/data/x`]: ["read"] });
      expect(await ask("GET", "auth/token/lookup-self")).toBe(403);
      expect(await ask("POST", "auth/token/renew-self", {})).toBe(403);
    },
  },
  {
    name: "what has no mount is refused by policy first, and only the strong learn that nothing is there",
    async check(server) {
      const path = `${server.fresh()}/x`;
      const ask = await asker(server, { [`${server.kv}/data/x`]: ["read"] });
      expect(await ask("GET", path)).toBe(403);
      const { status, errors } = await server.ask("GET", path);
      expect(status).toBe(404);
      expect(errors?.[0]).toContain("no handler for route");
    },
  },
  {
    name: "patch is a right of its own, where there are patches",
    async check(server) {
      if (!server.features.patch) return;
      const path = `${server.kv}/data/${server.fresh()}`;
      await server.ask("POST", path, { body: WRITE });
      const patch = async (words: readonly string[]) => {
        const token = await server.tokenFor(hcl({ [`${server.kv}/data/*`]: words }));
        const headers = { "content-type": "application/merge-patch+json" };
        return (await server.ask("PATCH", path, { token, headers, body: { data: { B: "2" } } })).status;
      };
      expect(await patch(["create", "update"])).toBe(403);
      expect(await patch(["patch"])).toBe(200);
    },
  },
];
