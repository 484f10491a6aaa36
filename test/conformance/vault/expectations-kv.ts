/** KV v2: numbers, check-and-set, soft deletion, destruction, pruning, patches. */
import { expect } from "vitest";
import type { Expectation } from "./expectations.ts";
import type { ExpectedServer } from "./server.ts";
import { isDone, objectIn, type WireAnswer } from "./wire.ts";

const MISMATCH = "check-and-set parameter did not match the current version";
const MERGE_PATCH = { "content-type": "application/merge-patch+json" };

function write(
  server: ExpectedServer,
  path: string,
  cas: number | undefined,
  data: unknown,
): Promise<WireAnswer> {
  const options = cas === undefined ? {} : { options: { cas } };
  return server.ask("POST", `${server.kv}/data/${path}`, { body: { ...options, data } });
}

const read = (server: ExpectedServer, path: string) => server.ask("GET", `${server.kv}/data/${path}`);
const metadataOf = ({ data }: WireAnswer) => objectIn(data, "metadata");

export const KV: readonly Expectation[] = [
  {
    name: "a write answers its version, and a read the map with it",
    async check(server) {
      const path = server.fresh();
      const written = await write(server, path, 0, { A: "one", B: "" });
      expect(written.status).toBe(200);
      expect(written.data).toMatchObject({ version: 1, deletion_time: "", destroyed: false });
      expect(written.data["created_time"]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
      const answer = await read(server, path);
      expect(answer.status).toBe(200);
      expect(answer.data["data"]).toEqual({ A: "one", B: "" });
      expect(metadataOf(answer)).toMatchObject({ version: 1, created_time: written.data["created_time"] });
      expect(answer.json).toMatchObject({ lease_id: "", renewable: false, auth: null });
    },
  },
  {
    name: "a write replaces the whole map, and PUT does what POST does",
    async check(server) {
      const path = server.fresh();
      await write(server, path, 0, { A: "one", B: "two" });
      const put = await server.ask("PUT", `${server.kv}/data/${path}`, {
        body: { options: { cas: 1 }, data: { A: "three" } },
      });
      expect(put.data["version"]).toBe(2);
      expect((await read(server, path)).data["data"]).toEqual({ A: "three" });
    },
  },
  {
    name: "cas: 0 writes once alone, and another number only what it names",
    async check(server) {
      const path = server.fresh();
      expect((await write(server, path, 1, { A: "x" })).errors).toEqual([MISMATCH]);
      expect((await read(server, path)).status).toBe(404);
      await write(server, path, 0, { A: "one" });
      for (const cas of [0, 2, 7]) {
        const refused = await write(server, path, cas, { A: "x" });
        expect([refused.status, refused.errors]).toEqual([400, [MISMATCH]]);
      }
      expect((await write(server, path, 1, { A: "two" })).data["version"]).toBe(2);
    },
  },
  {
    name: "of writers with one cas, one succeeds",
    async check(server) {
      const path = server.fresh();
      const answers = await Promise.all([1, 2, 3, 4].map((n) => write(server, path, 0, { A: String(n) })));
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400, 400]);
    },
  },
  {
    name: "without cas a write goes through, unless the key asks for it",
    async check(server) {
      const path = server.fresh();
      expect((await write(server, path, undefined, { A: "1" })).data["version"]).toBe(1);
      await server.ask("POST", `${server.kv}/metadata/${path}`, { body: { cas_required: true } });
      const refused = await write(server, path, undefined, { A: "2" });
      expect([refused.status, refused.errors]).toEqual([
        400,
        ["check-and-set parameter required for this call"],
      ]);
      expect((await write(server, path, 1, { A: "2" })).status).toBe(200);
    },
  },
  {
    name: "a write without data is refused",
    async check(server) {
      const answer = await server.ask("POST", `${server.kv}/data/${server.fresh()}`, { body: { A: "flat" } });
      expect([answer.status, answer.errors]).toEqual([400, ["no data provided"]]);
    },
  },
  {
    name: "what was never written, and a version that never was, are 404 with no text",
    async check(server) {
      const path = server.fresh();
      for (const tail of [path, `${path}?version=3`]) {
        const answer = await read(server, tail);
        expect([answer.status, answer.errors]).toEqual([404, []]);
      }
      await write(server, path, 0, { A: "1" });
      const answer = await read(server, `${path}?version=3`);
      expect([answer.status, answer.errors]).toEqual([404, []]);
    },
  },
  {
    name: "a soft-deleted version is 404 with its number, old ones stay readable, and cas needs the number",
    async check(server) {
      const path = server.fresh();
      await write(server, path, 0, { A: "1" });
      await write(server, path, 1, { A: "2" });
      expect(isDone(await server.ask("DELETE", `${server.kv}/data/${path}`))).toBe(true);
      const deleted = await read(server, path);
      expect([deleted.status, deleted.errors, deleted.data["data"]]).toEqual([404, undefined, null]);
      expect(metadataOf(deleted)).toMatchObject({ version: 2, destroyed: false });
      expect(metadataOf(deleted)["deletion_time"]).not.toBe("");
      expect((await read(server, `${path}?version=1`)).data["data"]).toEqual({ A: "1" });
      expect((await write(server, path, 0, { A: "3" })).errors).toEqual([MISMATCH]);
      expect((await write(server, path, 2, { A: "3" })).data["version"]).toBe(3);
    },
  },
  {
    name: "undelete brings a version back",
    async check(server) {
      const path = server.fresh();
      await write(server, path, 0, { A: "1" });
      await server.ask("POST", `${server.kv}/delete/${path}`, { body: { versions: [1, 9] } });
      expect((await read(server, path)).status).toBe(404);
      const undeleted = await server.ask("POST", `${server.kv}/undelete/${path}`, {
        body: { versions: [1] },
      });
      expect(isDone(undeleted)).toBe(true);
      expect((await read(server, path)).data["data"]).toEqual({ A: "1" });
    },
  },
  {
    name: "destroy leaves the number, drops the data for good, and says so",
    async check(server) {
      const path = server.fresh();
      await write(server, path, 0, { A: "1" });
      const answer = await server.ask("POST", `${server.kv}/destroy/${path}`, { body: { versions: [1] } });
      expect(isDone(answer)).toBe(true);
      const destroyed = await read(server, path);
      expect([destroyed.status, destroyed.errors, destroyed.data["data"]]).toEqual([404, undefined, null]);
      expect(metadataOf(destroyed)).toMatchObject({ version: 1, destroyed: true });
      await server.ask("POST", `${server.kv}/undelete/${path}`, { body: { versions: [1] } });
      expect((await read(server, path)).status).toBe(404);
    },
  },
  {
    name: "deleting, destroying and forgetting what is not there is well",
    async check(server) {
      const path = server.fresh();
      const answers = [
        await server.ask("DELETE", `${server.kv}/data/${path}`),
        await server.ask("POST", `${server.kv}/destroy/${path}`, { body: { versions: [1] } }),
        await server.ask("DELETE", `${server.kv}/metadata/${path}`),
      ];
      expect(answers.map(isDone)).toEqual([true, true, true]);
    },
  },
  {
    name: "old versions are pruned at the larger of the key's and the mount's limit, and are then as if never written",
    async check(server) {
      const path = server.fresh();
      await server.ask("POST", `${server.kv}/metadata/${path}`, { body: { max_versions: 2 } });
      for (const n of [0, 1, 2]) await write(server, path, n, { A: String(n) });
      const gone = await read(server, `${path}?version=1`);
      expect([gone.status, gone.errors]).toEqual([404, []]);
      expect((await read(server, `${path}?version=2`)).status).toBe(200);
      const { data } = await server.ask("GET", `${server.kv}/metadata/${path}`);
      expect(data).toMatchObject({ current_version: 3, oldest_version: 2, max_versions: 2 });
      expect(Object.keys(objectIn(data, "versions")).sort()).toEqual(["2", "3"]);
    },
  },
  {
    name: "ten versions are kept where nothing else is said",
    async check(server) {
      const path = server.fresh();
      for (let n = 0; n < 11; n += 1) await write(server, path, n, { A: String(n) });
      expect((await read(server, `${path}?version=1`)).status).toBe(404);
      expect((await read(server, `${path}?version=2`)).status).toBe(200);
    },
  },
  {
    name: "numbers begin anew after the metadata was deleted; the time of creation tells",
    async check(server) {
      const path = server.fresh();
      const first = await write(server, path, 0, { A: "1" });
      await server.ask("DELETE", `${server.kv}/metadata/${path}`);
      expect((await read(server, path)).errors).toEqual([]);
      const second = await write(server, path, 0, { A: "2" });
      expect(second.data["version"]).toBe(1);
      expect(second.data["created_time"]).not.toBe(first.data["created_time"]);
    },
  },
  {
    name: "a key with delete_version_after gives new versions an end",
    async check(server) {
      const path = server.fresh();
      await server.ask("POST", `${server.kv}/metadata/${path}`, { body: { delete_version_after: "1h" } });
      const written = await write(server, path, 0, { A: "1" });
      const end = Date.parse(String(written.data["deletion_time"]));
      expect(end - Date.parse(String(written.data["created_time"]))).toBe(3_600_000);
      expect((await read(server, path)).status).toBe(200);
    },
  },
  {
    name: "texts come back as they were sent: NUL, newlines, quotes, markup; half a surrogate is replaced",
    async check(server) {
      const path = server.fresh();
      const data = { A: 'a\u0000b\nc"d\\e', B: "<&>\u2028é😀", C: "x\ud800y" };
      await write(server, path, 0, data);
      expect((await read(server, path)).data["data"]).toEqual({ ...data, C: "x\ufffdy" });
    },
  },
  {
    name: "an integer above 2^53 is changed by reading it back",
    async check(server) {
      const path = server.fresh();
      const response = await fetch(`${server.address}/v1/${server.kv}/data/${path}`, {
        method: "POST",
        headers: { "x-vault-request": "true", "x-vault-token": await server.tokenFor(rightsOn(server.kv)) },
        body: '{"options":{"cas":0},"data":{"N":9007199254740993}}',
      });
      expect(response.status).toBe(200);
      expect((await read(server, path)).text).toContain('"N":9007199254740992');
    },
  },
  {
    name: "a map of 450 keys is taken",
    async check(server) {
      const path = server.fresh();
      const data = Object.fromEntries(Array.from({ length: 450 }, (_, n) => [`KEY_${n}`, `value ${n}`]));
      expect((await write(server, path, 0, data)).status).toBe(200);
      expect((await read(server, path)).data["data"]).toEqual(data);
    },
  },
  {
    name: "an encoded segment is one name: spaces, quotes, per cent, plus, question mark, hash",
    async check(server) {
      const folder = server.fresh();
      const name = `a b'c"d%e+f?g#h&i=é`;
      expect((await write(server, `${folder}/${encodeURIComponent(name)}`, 0, { A: "1" })).status).toBe(200);
      const listed = await server.ask("LIST", `${server.kv}/metadata/${folder}`);
      expect(listed.data["keys"]).toEqual([name]);
    },
  },
  {
    name: "%2F is a slash",
    async check(server) {
      const folder = server.fresh();
      await write(server, `${folder}%2Fa`, 0, { A: "1" });
      expect((await read(server, `${folder}/a`)).status).toBe(200);
    },
  },
  {
    name: "a patch changes the named keys, null removes one, and cas counts; or the server has none (405)",
    async check(server) {
      const path = server.fresh();
      await write(server, path, 0, { A: "1", B: "2", C: "3" });
      const patch = (cas: number, to = path) =>
        server.ask("PATCH", `${server.kv}/data/${to}`, {
          headers: MERGE_PATCH,
          body: { options: { cas }, data: { A: "one", B: null } },
        });
      if (!server.features.patch) {
        expect((await patch(1)).status).toBe(405);
        return;
      }
      expect((await patch(0)).errors).toEqual([MISMATCH]);
      expect((await patch(1)).data["version"]).toBe(2);
      expect((await read(server, path)).data["data"]).toEqual({ A: "one", C: "3" });
      expect((await patch(0, server.fresh())).status).toBe(404);
      await server.ask("DELETE", `${server.kv}/data/${path}`);
      expect((await patch(2)).status).toBe(404);
    },
  },
  {
    name: "a patch of another content type is refused with 415, where there are patches",
    async check(server) {
      const answer = await server.ask("PATCH", `${server.kv}/data/${server.fresh()}`, { body: { data: {} } });
      expect(answer.status).toBe(server.features.patch ? 415 : 405);
    },
  },
];

function rightsOn(kv: string): string {
  return `path "${kv}/data/*" { capabilities = ["create", "read", "update"] }`;
}
