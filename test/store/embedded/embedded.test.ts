import { chown, mkdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { processesOf, until } from "./children.ts";
import { child, isLinux, modeOf, place, query, start } from "./fixture.ts";

const isRoot = process.getuid?.() === 0;

test("it keeps what it was told over a stop and a start", async () => {
  const first = await start();
  await query(first.connection, "create table kept (a int)");
  await first.stop();
  await first.stop();
  const second = await start();
  expect(await query(second.connection, "select * from kept")).toEqual([]);
});

test("it is durable, closed to the network, and private in its directory", async () => {
  const { connection } = await start();
  expect(
    await query(
      connection,
      `select name, setting from pg_settings where name in
         ('fsync', 'full_page_writes', 'synchronous_commit', 'listen_addresses', 'password_encryption',
          'log_min_error_statement', 'data_checksums') order by name`,
    ),
  ).toEqual([
    { name: "data_checksums", setting: "on" },
    { name: "fsync", setting: "on" },
    { name: "full_page_writes", setting: "on" },
    { name: "listen_addresses", setting: "" },
    { name: "log_min_error_statement", setting: "panic" },
    { name: "password_encryption", setting: "scram-sha-256" },
    { name: "synchronous_commit", setting: "on" },
  ]);
  expect(await modeOf(place.directory)).toBe(0o700);
  expect(await modeOf(join(place.directory, "socket"))).toBe(0o700);
  expect(await modeOf(join(place.directory, "cluster", "password"))).toBe(0o600);
  expect(await modeOf(join(place.directory, "cluster", "data"))).toBe(0o700);
  expect(await modeOf(join(place.directory, "postgres.log"))).toBe(0o600);
  await expect(query({ ...connection, password: "guessed" }, "select 1")).rejects.toMatchObject({
    code: "28P01",
  });
});

test("statements and values stay out of its log", async () => {
  const { connection } = await start();
  await query(connection, "create table t (a text unique check (a <> 'canary-check'))");
  for (const value of ["canary-twice", "canary-twice", "canary-check"]) {
    await query(connection, `insert into t values ('${value}')`).catch(() => undefined);
  }
  await query(connection, "select canary-syntax from").catch(() => undefined);
  expect(await readFile(join(place.directory, "postgres.log"), "utf8")).not.toContain("canary");
});

test("a path too long for a socket falls back to a short private directory, gone after the stop", async () => {
  place.directory = join(place.base, "x".repeat(120), "pg");
  const embedded = await start();
  const { host = "" } = embedded.connection;
  expect(host.startsWith(place.directory)).toBe(false);
  expect(await modeOf(host)).toBe(0o700);
  await expect(start()).rejects.toMatchObject({ code: "STORE_IN_USE" });
  expect(await query(embedded.connection, "select 1 as one")).toEqual([{ one: 1 }]);
  await embedded.stop();
  await expect(stat(host)).rejects.toMatchObject({ code: "ENOENT" });
});

describe.skipIf(!isRoot || !isLinux)("started as root", () => {
  const canEnter = async (path: string): Promise<void> => {
    await rm(path, { recursive: true, force: true });
    await mkdir(path, { recursive: true, mode: 0o755 });
  };

  test("it runs in a user namespace and its files stay root's", async ({ skip }) => {
    const embedded = await start({ runAs: ["user-namespace"] }).catch(() => null);
    if (embedded === null) return skip("user namespaces are not allowed here");
    expect(embedded.runAs).toBe("user-namespace");
    expect((await stat(join(place.directory, "cluster", "data"))).uid).toBe(0);
    return undefined;
  });

  test("it runs as nobody, and only its own directory is given away", async () => {
    await canEnter(place.base);
    const embedded = await start({ runAs: ["nobody"] });
    expect(await query(embedded.connection, "select 1 as one")).toEqual([{ one: 1 }]);
    expect((await stat(place.directory)).uid).toBe(65534);
    expect((await stat(place.base)).uid).toBe(0);
  });

  test("it runs as nobody below a directory that nobody cannot enter", async () => {
    const embedded = await start({ runAs: ["nobody", "nobody-with-capability"] });
    expect(embedded.runAs).toBe("nobody-with-capability");
    expect(await query(embedded.connection, "select 1 as one")).toEqual([{ one: 1 }]);
  });

  test("the way down may change from one start to the next", async ({ skip }) => {
    await canEnter(place.base);
    await (await start({ runAs: ["nobody"] })).stop();
    const root = await start({ runAs: ["user-namespace"] }).catch(() => null);
    if (root === null) return skip("user namespaces are not allowed here");
    await root.stop();
    await start({ runAs: ["nobody"] });
    return undefined;
  });

  test("without any way down it says what to do", async () => {
    await expect(start({ runAs: [] })).rejects.toMatchObject({
      code: "UNSUPPORTED",
      hint: expect.stringContaining("DATABASE_URL"),
    });
  });

  test.each([
    ["named", 1, "self"],
    ["without a name", 12_345, "user-namespace"],
  ])("as another user, %s, it simply runs", async (_, uid, runAs) => {
    await canEnter(place.base);
    await chown(place.base, uid, uid);
    const other = await child(uid);
    expect(other.answer).toMatchObject({ ready: true, runAs });
    expect((await stat(join(place.directory, "cluster", "data"))).uid).toBe(uid);
    await other.end();
    await until("no process is left", async () => (await processesOf(place.directory)).length === 0);
  });

  test("as a user who may not enter the directory it is refused with the directory's name", async () => {
    const other = await child(12_345);
    expect(other.answer).toMatchObject({ ready: false, code: "SETTING_INVALID" });
  });
});
