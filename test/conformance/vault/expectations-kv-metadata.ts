/** KV v2's metadata, lists and wrong paths; KV v1, also by mistake. */
import { expect } from "vitest";
import type { Expectation } from "./expectations.ts";
import { isDone, objectIn } from "./wire.ts";

export const KV_METADATA: readonly Expectation[] = [
  {
    name: "metadata tells versions and settings",
    async check(server) {
      const path = server.fresh();
      const data = `${server.kv}/data/${path}`;
      const written = await server.ask("POST", data, { body: { options: { cas: 0 }, data: { A: "1" } } });
      const answer = await server.ask("GET", `${server.kv}/metadata/${path}`);
      expect(answer.status).toBe(200);
      expect(answer.data).toMatchObject({
        current_version: 1,
        oldest_version: 0,
        max_versions: 0,
        cas_required: false,
        delete_version_after: "0s",
      });
      const created_time = written.data["created_time"];
      expect(answer.data["versions"]).toMatchObject({
        "1": { created_time, deletion_time: "", destroyed: false },
      });
    },
  },
  {
    name: "metadata without data has version 0, reads 404, and cas: 0 writes it",
    async check(server) {
      const path = server.fresh();
      const answer = await server.ask("POST", `${server.kv}/metadata/${path}`, { body: { max_versions: 3 } });
      expect(isDone(answer)).toBe(true);
      const metadata = await server.ask("GET", `${server.kv}/metadata/${path}`);
      expect(metadata.data).toMatchObject({ current_version: 0, versions: {} });
      const read = await server.ask("GET", `${server.kv}/data/${path}`);
      expect([read.status, read.errors]).toEqual([404, []]);
      const written = await server.ask("POST", `${server.kv}/data/${path}`, {
        body: { options: { cas: 0 }, data: { A: "1" } },
      });
      expect(written.data["version"]).toBe(1);
    },
  },
  {
    name: "labels are kept as a whole map, or dropped without a word",
    async check(server) {
      const path = `${server.kv}/metadata/${server.fresh()}`;
      const label = (labels: unknown) =>
        server.ask("POST", path, { body: { custom_metadata: labels, max_versions: 5 } });
      expect([200, 204]).toContain((await label({ managed_by: "lockstep", a: "b" })).status);
      await label({ managed_by: "lockstep" });
      const { data } = await server.ask("GET", path);
      if (server.features.customMetadata) expect(data["custom_metadata"]).toEqual({ managed_by: "lockstep" });
      else expect(data).not.toHaveProperty("custom_metadata");
    },
  },
  {
    name: "labels have limits, where there are any",
    async check(server) {
      if (!server.features.customMetadata) return;
      const path = `${server.kv}/metadata/${server.fresh()}`;
      const many = Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`k${n}`, "v"]));
      for (const labels of [
        many,
        { a: "x".repeat(513) },
        { ["k".repeat(129)]: "v" },
        { a: "" },
        { a: "\n" },
      ]) {
        const answer = await server.ask("POST", path, { body: { custom_metadata: labels } });
        expect(answer.status).toBe(400);
        expect(answer.errors?.[0]).toContain("custom_metadata validation failed");
      }
    },
  },
  {
    name: "a list tells names and folders, soft-deleted keys included; an empty one is 404",
    async check(server) {
      const folder = server.fresh();
      const write = (path: string) =>
        server.ask("POST", `${server.kv}/data/${folder}/${path}`, { body: { data: { A: "1" } } });
      for (const path of ["b", "a", "sub/x", "sub/y", "sub"]) await write(path);
      await server.ask("DELETE", `${server.kv}/data/${folder}/b`);
      const keys = ["a", "b", "sub", "sub/"];
      for (const [method, tail] of [
        ["LIST", ""],
        ["LIST", "/"],
        ["GET", "?list=true"],
        ["GET", "/?list=true"],
      ] as const) {
        const answer = await server.ask(method, `${server.kv}/metadata/${folder}${tail}`);
        expect([...(answer.data["keys"] as string[])].sort()).toEqual(keys);
      }
      const empty = await server.ask("LIST", `${server.kv}/metadata/${server.fresh()}`);
      expect([empty.status, empty.errors]).toEqual([404, []]);
    },
  },
  {
    name: "the mount's settings can be read",
    async check(server) {
      const { status, data } = await server.ask("GET", `${server.kv}/config`);
      expect(status).toBe(200);
      expect(data).toMatchObject({ max_versions: 0, cas_required: false, delete_version_after: "0s" });
    },
  },
  {
    name: "a path in the form of KV v1 is 404 with a warning and without errors",
    async check(server) {
      const answer = await server.ask("GET", `${server.kv}/${server.fresh()}`);
      expect([answer.status, answer.errors]).toEqual([404, undefined]);
      expect(answer.json?.["warnings"]).toEqual([
        expect.stringContaining("Invalid path for a versioned K/V secrets engine"),
      ]);
    },
  },
  {
    name: "a write to a path that ends in a slash is refused",
    async check(server) {
      const answer = await server.ask("POST", `${server.kv}/data/${server.fresh()}/`, {
        body: { data: { A: "1" } },
      });
      expect([answer.status, answer.errors]).toEqual([400, ["cannot write to a path ending in '/'"]]);
    },
  },
  {
    name: "the versions of both engines can be asked for",
    async check(server) {
      const ask = (path: string) => server.ask("GET", `sys/internal/ui/mounts/${path}`);
      const two = await ask(`${server.kv}/some/path`);
      expect(two.data).toMatchObject({ type: "kv", path: `${server.kv}/`, options: { version: "2" } });
      const one = await ask(server.kv1);
      expect(one.data).toMatchObject({ type: "kv", path: `${server.kv1}/` });
      expect(objectIn(one.data, "options")["version"] ?? "1").toBe("1");
      const none = await ask(server.fresh());
      expect(none.status).toBe(403);
      expect(none.errors?.[0]).toContain("preflight capability check returned 403");
    },
  },
  {
    name: "KV v1 keeps whole maps without versions",
    async check(server) {
      const path = `${server.kv1}/${server.fresh()}`;
      expect(isDone(await server.ask("POST", path, { body: { A: "1", B: "2" } }))).toBe(true);
      await server.ask("POST", path, { body: { A: "3" } });
      const read = await server.ask("GET", path);
      expect([read.status, read.data]).toEqual([200, { A: "3" }]);
      expect(isDone(await server.ask("DELETE", path))).toBe(true);
      const gone = await server.ask("GET", path);
      expect([gone.status, gone.errors]).toEqual([404, []]);
    },
  },
  {
    name: "KV v1 takes a write in the form of KV v2, and what comes back has no version",
    async check(server) {
      const path = `${server.kv1}/data/${server.fresh()}`;
      const body = { options: { cas: 0 }, data: { A: "1" } };
      const written = await server.ask("POST", path, { body });
      expect([written.status, written.text]).toEqual([204, ""]);
      const read = await server.ask("GET", path);
      expect(read.data).toEqual(body);
      expect(objectIn(read.data, "metadata")["version"]).toBeUndefined();
    },
  },
];
