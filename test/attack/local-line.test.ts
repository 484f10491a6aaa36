/**
 * Ruling 27: the local line does not rest on a port and a pid. Played by another local user who waits for the server to
 * die and then listens where it listened, under any number that a file may name; who prepares a directory under a name
 * that was the server's; who leaves links. What is looked at is what that user was sent: nothing.
 */
import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openDataDirectory } from "../../src/composition/data-directory.ts";
import { LOCAL_ADMIN_SCOPES } from "../../src/core/access/permissions.ts";
import { runCli } from "../support/cli-kit.ts";
import { useDatabase } from "../support/database.ts";
import { SILENT } from "../support/database-clusters.ts";
import { createHttpKit, type HttpKit } from "../support/http-kit.ts";
import { itWhere } from "../support/it-where.ts";
import { createLoopKit } from "../support/loop-kit.ts";
import { createProgramKit, type ProgramKit } from "../support/program-kit.ts";
import { IS_ROOT, NOBODY, type Squatter, startSquatter } from "../support/squatter.ts";

const getDatabase = useDatabase();
/** A whole server as a process of its own, on a machine that does other work. */
const STARTS_WITHIN_MS = 120_000;
const squatters: Squatter[] = [];
afterEach(async () => {
  for (const squatter of squatters.splice(0)) await squatter.end();
});

async function squat(where: Parameters<typeof startSquatter>[0]): Promise<Squatter> {
  const squatter = await startSquatter(where);
  squatters.push(squatter);
  return squatter;
}

describe("ruling 27: after kill -9 of the server", () => {
  let kit: ProgramKit;
  let data: string;
  let first: Awaited<ReturnType<typeof up>>;
  beforeAll(async () => {
    kit = createProgramKit("line");
    data = join(kit.directory, "data");
    first = await up();
  }, STARTS_WITHIN_MS);
  afterAll(() => kit.stop());

  async function up(): Promise<{ readonly port: number; kill(): Promise<void> }> {
    const before = kit.said().length;
    const child = kit.start(["up", "--port", "0"]);
    await kit.reach("the server", () => kit.said().slice(before).includes("Lockstep is running at"));
    const port = Number(/running at http:\/\/127\.0\.0\.1:(\d+)/.exec(kit.said().slice(before))?.[1]);
    return {
      port,
      kill: async () => {
        const gone = new Promise((done) => child.once("exit", done));
        child.kill("SIGKILL");
        await gone;
      },
    };
  }

  test("who listens at its port, under the very pid that its file names, is sent nothing", async () => {
    expect((await kit.lockstep(["status"])).code).toBe(0);
    await first.kill();

    const squatter = await squat({ port: first.port });
    const file = join(data, "server.json");
    const found = JSON.parse(await readFile(file, "utf8")) as object;
    await writeFile(file, JSON.stringify({ ...found, pid: squatter.pid }));
    const status = await kit.lockstep(["status"]);
    expect(squatter.heard()).toBe("");
    expect(status).toMatchObject({ code: 1, stdout: "" });
    expect(status.stderr).toContain("error SERVER_UNREACHABLE");
  });

  test("the socket that it left is replaced by the next one, and commands find that", {
    timeout: STARTS_WITHIN_MS,
  }, async () => {
    expect((await lstat(join(data, "server.sock"))).isSocket()).toBe(true);
    await up();
    expect((await kit.lockstep(["status"])).code).toBe(0);
    expect((await lstat(join(data, "server.sock"))).mode & 0o777).toBe(0o600);
  });

  test("what shell completion asks, and the bare command, go the same way", async () => {
    expect(await kit.json("secret", "list")).toEqual({ secrets: [] });
    const bare = await kit.lockstep([]);
    expect(bare.stdout).toContain("runs at http://127.0.0.1:");
  });
});

describe("ruling 27: the way to the socket", () => {
  let directory: string;
  let data: string;
  let http: HttpKit;
  let port: number;
  let admin: string;

  beforeAll(async () => {
    const { context } = createLoopKit(getDatabase());
    http = await createHttpKit(context, { requestTimeoutMs: 500 });
    ({ port } = await http.server.listen(0));
    admin = await http.token(...LOCAL_ADMIN_SCOPES);
  });
  afterAll(() => http.server.close());
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "lockstep-line-test-"));
    // Others may pass here, as they may in /home; the data directory is what keeps them out.
    await chmod(directory, 0o755);
    data = join(directory, "data");
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  /** A server on this data directory, as `up` leaves it. */
  async function serve(where = data): Promise<{ readonly socket: string; close(): Promise<void> }> {
    await mkdir(where, { mode: 0o700 });
    const line = await http.openLine(where);
    await tell(where, line.socket);
    await writeFile(join(where, "admin.token"), `${admin}\n`, { mode: 0o600 });
    return line;
  }

  async function tell(where: string, socket: string): Promise<void> {
    const text = JSON.stringify({ url: `http://127.0.0.1:${port}`, socket });
    await writeFile(join(where, "server.json"), text, { mode: 0o600 });
  }

  const status = (where = data, env: Readonly<Record<string, string>> = {}) =>
    runCli(["status"], { env: { LOCKSTEP_DATA: where, ...env } });

  test("is gone over without a port, with the token that lies there or another one", async () => {
    const line = await serve();
    expect(await status()).toMatchObject({ exitCode: 0, stderr: "" });
    const viewer = await http.token("viewer");
    expect((await status(data, { LOCKSTEP_TOKEN: viewer })).exitCode).toBe(0);
    expect((await status(data, { LOCKSTEP_TOKEN: "lsk_other_0123456789" })).stderr).toContain(
      "UNAUTHENTICATED",
    );
    await line.close();
    expect((await status()).stderr).toContain("error SERVER_UNREACHABLE");
  });

  test("never leads to LOCKSTEP_URL: there only LOCKSTEP_TOKEN counts, also for our own address", async () => {
    const line = await serve();
    const squatter = await squat({ port: 0 });
    for (const url of [`http://127.0.0.1:${squatter.port}`, `http://127.0.0.1:${port}`]) {
      const ran = await status(data, { LOCKSTEP_URL: url });
      expect(ran.stderr).toContain("error UNAUTHENTICATED");
      expect(ran.stderr).toContain("LOCKSTEP_TOKEN is not set");
    }
    expect(squatter.heard()).toBe("");
    await line.close();
  });

  test("is refused where it is a link", async () => {
    const line = await serve();
    const outside = join(directory, "elsewhere.sock");
    await rename(line.socket, outside);
    await symlink(outside, line.socket);
    expect((await status()).stderr).toMatch(/error FILE_UNSAFE: .*it is not a socket/);
    await rm(line.socket);
    await rename(outside, line.socket);
    for (const name of ["server.json", "admin.token"]) {
      await rename(join(data, name), join(data, "moved"));
      await symlink(join(data, "moved"), join(data, name));
      expect((await status()).stderr).toMatch(/error FILE_UNSAFE: .*it is a symbolic link/);
      await rm(join(data, name));
      await rename(join(data, "moved"), join(data, name));
    }
    expect((await status()).exitCode).toBe(0);
    await line.close();
  });

  test.each([
    ["the data directory", "", 0o755],
    ["the socket", "server.sock", 0o666],
    ["the token", "admin.token", 0o644],
    ["the file that names the socket", "server.json", 0o664],
  ])("is refused where others have rights to %s", async (_what, name, mode) => {
    const line = await serve();
    await chmod(join(data, name), mode);
    const ran = await status();
    expect(ran.stderr).toContain("error FILE_UNSAFE");
    expect(ran.stderr).toContain(`its mode is ${mode.toString(8)}`);
    await line.close();
  });

  itWhere(IS_ROOT)("is refused where another user's socket stands in its place", async () => {
    await (await serve()).close();
    const theirs = join(directory, "theirs");
    await mkdir(theirs);
    await chown(theirs, NOBODY, NOBODY);
    const squatter = await squat({ path: join(theirs, "server.sock") });
    await rename(join(theirs, "server.sock"), join(data, "server.sock"));
    await chmod(join(data, "server.sock"), 0o600);
    const ran = await status();
    expect(ran.stderr).toMatch(/error FILE_UNSAFE: .*belongs to the user with id 65534/);
    expect(squatter.heard()).toBe("");
  });

  itWhere(IS_ROOT)("is refused where the data directory is another user's", async () => {
    const line = await serve();
    await chown(data, NOBODY, NOBODY);
    expect((await status()).stderr).toMatch(/error FILE_UNSAFE: .*belongs to the user with id 65534/);
    await line.close();
  });

  describe("where the path is too long for a socket", () => {
    let long: string;
    beforeEach(() => {
      long = join(directory, "d".repeat(110));
    });

    test("leads through a private directory, which goes with the server or with the next one", async () => {
      const first = await serve(long);
      expect(dirname(first.socket)).not.toBe(long);
      expect((await lstat(dirname(first.socket))).mode & 0o777).toBe(0o700);
      expect((await status(long)).exitCode).toBe(0);
      await expect(http.openLine(long, first.socket)).rejects.toMatchObject({ code: "STORE_IN_USE" });
      await first.close();
      await expect(lstat(dirname(first.socket))).rejects.toMatchObject({ code: "ENOENT" });

      // As a kill leaves it: the directory with a socket that nobody listens on.
      const killed = await mkdtemp(join(tmpdir(), "lockstep-line-"));
      const next = await http.openLine(long, join(killed, "server.sock"));
      await expect(lstat(killed)).rejects.toMatchObject({ code: "ENOENT" });
      await next.close();
    });

    itWhere(IS_ROOT)(
      "is refused where another user made that directory after a restart of the machine",
      async () => {
        const line = await serve(long);
        await line.close();
        const squatter = await squat({ path: line.socket, makeDirectory: true });
        const ran = await status(long);
        expect(ran.stderr).toMatch(/error FILE_UNSAFE: .*belongs to the user with id 65534/);
        // It does not keep the next server from starting either.
        const next = await http.openLine(long, line.socket);
        expect(next.socket).not.toBe(line.socket);
        await next.close();
        expect(squatter.heard()).toBe("");
        await rm(dirname(line.socket), { recursive: true });
      },
    );
  });

  test("a second server on it is refused, and of several that find a dead socket one gets it", async () => {
    const line = await serve();
    await expect(http.openLine(data)).rejects.toMatchObject({ code: "STORE_IN_USE" });
    expect((await status()).exitCode).toBe(0);
    await line.close();
    // A bound name that nobody listens on any more.
    const squatter = await startSquatter({ path: join(directory, "left.sock") }, { own: true });
    await squatter.end();
    await rename(join(directory, "left.sock"), join(data, "server.sock"));
    const started = await Promise.allSettled([1, 2, 3, 4].map(() => http.openLine(data)));
    const lines = started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    expect(lines).toHaveLength(1);
    expect((await status()).exitCode).toBe(0);
    for (const one of lines) await one.close();
  });

  test("whoever says nothing on it is cut off as on the port", async () => {
    const line = await serve();
    expect(await text(connect(line.socket))).toMatch(/^(?:HTTP\/1\.1 408 |$)/);
    await line.close();
  });
});

describe("ruling 21: the data directory before anything is put into it", () => {
  let data: string;
  beforeEach(async () => {
    data = await mkdtemp(join(tmpdir(), "lockstep-data-"));
  });
  afterEach(() => rm(data, { recursive: true, force: true }));

  test.each([0o777, 0o770, 0o702, 0o1777])(
    "is refused where others may write (%o), with the remedy",
    async (mode) => {
      await chmod(data, mode);
      await expect(openDataDirectory(data, SILENT)).rejects.toMatchObject({
        code: "FILE_UNSAFE",
        hint: expect.stringContaining("chmod 700"),
      });
      expect((await lstat(data)).mode & 0o7777).toBe(mode);
    },
  );

  test("is closed where others could read, and that is told", async () => {
    await chmod(data, 0o755);
    const told: string[] = [];
    await openDataDirectory(data, { ...SILENT, warn: (message) => void told.push(message) });
    expect((await lstat(data)).mode & 0o777).toBe(0o700);
    expect(told).toEqual([expect.stringContaining("they may have read")]);
    await openDataDirectory(data, { ...SILENT, warn: (message) => void told.push(message) });
    expect(told).toHaveLength(1);
  });

  itWhere(IS_ROOT)("is refused where it is another user's", async () => {
    await chown(data, NOBODY, NOBODY);
    await expect(openDataDirectory(data, SILENT)).rejects.toMatchObject({
      code: "FILE_UNSAFE",
      message: expect.stringContaining("belongs to the user with id 65534"),
    });
  });
});
