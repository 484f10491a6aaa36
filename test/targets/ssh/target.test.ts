import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { closeSshConnections, sshKind } from "../../../src/adapters/targets/ssh/target.ts";
import type { Address } from "../../../src/core/ports/place.ts";
import type { Target } from "../../../src/core/ports/target.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { startFaultProxy } from "../../support/fault-proxy.ts";
import { itWhere } from "../../support/it-where.ts";
import { IN_OWN_MOUNTS } from "../../support/own-mounts.ts";
import { lacks } from "../../support/servers.ts";
import { OTHER_STORE_ID, orderOf, STORE_ID, soon } from "../../support/ssh-kit.ts";
import { generateKey, type RunningSshd, startSshd } from "../../support/sshd.ts";

const FOREIGN = "# theirs\nTHEIRS='a b'   # keep\n\n";

describe.skipIf(lacks("sshd")).each([
  { name: "with a shell", sftpOnly: false },
  { name: "with SFTP alone", sftpOnly: true },
])("a host over SSH as a target, $name", ({ sftpOnly }) => {
  let sshd: RunningSshd;
  let directory: string;
  let count = 0;

  beforeAll(async () => {
    sshd = await startSshd({ sftpOnly });
    directory = join(sshd.home, "app");
    mkdirSync(directory, { mode: 0o700 });
  });
  afterAll(async () => {
    await sshd.stop();
  });

  interface Changes {
    readonly files?: readonly object[];
    readonly ssh?: object;
    readonly paths?: readonly string[];
    readonly more?: object;
  }

  function open({ ssh = {}, paths, files, more = {} }: Changes = {}): {
    target: Target;
    at: (key: string) => Address;
  } {
    const used = paths ?? [newPath()];
    const { config, credentials } = sshKind.parse({
      ssh: {
        ...sshd.login,
        sftpOnly,
        ...ssh,
      },
      files: files ?? used.map((path) => ({ path, format: "dotenv" })),
      ...more,
    });
    const target = sshKind.open(config, credentials, {
      targetName: "vps-1",
      budget: { take: async () => {}, report: async () => {} },
      storeId: STORE_ID,
      revisionMarker: true,
    });
    return { target, at: (key) => ({ placement: used[0] ?? "", key }) };
  }

  function newPath(): string {
    count += 1;
    return join(directory, `env-${count}`);
  }

  async function value(target: Target, address: Address): Promise<string> {
    const { keys } = await target.observe([address], soon());
    const observed = keys[0]?.observed;
    return observed?.state === "present" ? observed.value.reveal() : `(${observed?.state})`;
  }

  itWhere(!sftpOnly)(
    "tells by a look and by `target test` what a write to a shared file would be refused for",
    async () => {
      const linked = newPath();
      writeFileSync(linked, "KEY='v0'\n", { mode: 0o600 });
      linkSync(linked, `${linked}-other`);
      const { target, at } = open({ paths: [linked] });
      const shared = expect.objectContaining({ code: "FILE_SHARED" });
      const { keys } = await target.observe([at("KEY")], soon());
      expect(keys).toEqual([expect.objectContaining({ obstacle: shared })]);
      const { checks } = await target.probe(soon());
      expect(checks.find(({ name }) => name === `file ${linked}`)).toMatchObject({
        ok: false,
        message: expect.stringMatching(/has further names \(hard links\).*`write: in-place`/),
      });
      const set = { set: [{ ...at("KEY"), value: SecretValue.of("v1") }], unset: [] };
      await expect(target.apply(set, orderOf(1), soon())).rejects.toMatchObject({ code: "FILE_SHARED" });

      const inPlace = open({ files: [{ path: linked, format: "dotenv", write: "in-place" }] }).target;
      expect((await inPlace.observe([at("KEY")], soon())).keys[0]).not.toHaveProperty("obstacle");
      expect((await inPlace.probe(soon())).checks).toContainEqual(
        expect.objectContaining({ name: `file ${linked}`, ok: true }),
      );
      await inPlace.apply(set, orderOf(1), soon());
      expect(readFileSync(`${linked}-other`, "utf8")).toBe("KEY='v1'\n");
    },
  );

  itWhere(!sftpOnly && !lacks("mount-namespace"))(
    "tells of a container that has the file mounted by itself",
    async () => {
      const path = newPath();
      writeFileSync(path, "KEY='v0'\n", { mode: 0o600 });
      const inside = newPath();
      writeFileSync(inside, "", { mode: 0o600 });
      const [program = "", ...words] = IN_OWN_MOUNTS;
      const script = 'mount --bind "$1" "$2" && echo mounted && exec cat';
      const container = spawn(program, [...words, "sh", "-c", script, "sh", path, inside], { stdio: "pipe" });
      try {
        await once(container.stdout, "data");
        const { target } = open({ paths: [path] });
        expect((await target.probe(soon())).checks).toContainEqual({
          name: `file ${path}`,
          ok: false,
          message: expect.stringContaining(
            `The process ${container.pid}, in a container most often, has ${path} mounted by itself`,
          ),
        });
      } finally {
        container.stdin.end();
        await once(container, "exit");
      }
      expect((await open({ paths: [path] }).target.probe(soon())).checks).toContainEqual(
        expect.objectContaining({ name: `file ${path}`, ok: true }),
      );
    },
  );

  it("sets, reads back, changes nothing the second time, unsets, and keeps foreign bytes", async () => {
    const { target, at } = open();
    const path = at("").placement;
    writeFileSync(path, FOREIGN, { mode: 0o600 });
    const tricky = `a"b\\c$d #e=\u00e4`;
    const change = { set: [{ ...at("A"), value: SecretValue.of(tricky) }], unset: [] };
    expect(await target.apply(change, orderOf(2), soon())).toEqual({ outcome: "changed" });
    expect(await value(target, at("A"))).toBe(tricky);
    expect(await value(target, at("THEIRS"))).toBe("a b");
    expect(readFileSync(path, "utf8").startsWith(FOREIGN)).toBe(true);

    const written = readFileSync(path);
    expect(await target.apply(change, orderOf(3), soon())).toEqual({ outcome: "unchanged" });
    expect(readFileSync(path).equals(written)).toBe(true);

    await target.apply({ set: [], unset: [at("A"), at("NEVER")] }, orderOf(4), soon());
    expect(await value(target, at("A"))).toBe("(absent)");
    expect(readFileSync(path, "utf8")).toBe(FOREIGN);
    expect((await target.observe([at("A")], soon())).orders).toEqual([orderOf(4)]);
  });

  it("refuses an older order and another store's place", async () => {
    const { target, at } = open();
    const set = (text: string) => ({ set: [{ ...at("A"), value: SecretValue.of(text) }], unset: [] });
    await target.apply(set("1"), orderOf(5), soon());
    for (const order of [orderOf(4), orderOf(6, 1, OTHER_STORE_ID)]) {
      await expect(target.apply(set("2"), order, soon())).rejects.toMatchObject({ code: "ORDER_REFUSED" });
    }
    expect(await value(target, at("A"))).toBe("1");
  });

  it("merges two writers of different keys, and lets nobody's change get lost", async () => {
    const path = newPath();
    writeFileSync(path, FOREIGN, { mode: 0o600 });
    const writers = Array.from({ length: sftpOnly ? 1 : 4 }, (_, index) => {
      const { target, at } = open({ paths: [path] });
      return target.apply(
        { set: [{ ...at(`KEY_${index}`), value: SecretValue.of(`${index}`) }], unset: [] },
        orderOf(7),
        soon(),
      );
    });
    await Promise.all(writers);
    const { target, at } = open({ paths: [path] });
    for (const index of writers.keys()) expect(await value(target, at(`KEY_${index}`))).toBe(`${index}`);
    expect(readFileSync(path, "utf8").startsWith(FOREIGN)).toBe(true);
  });

  it("restores all files or none", async () => {
    const paths = [newPath(), newPath()];
    const [first = "", second = ""] = paths;
    for (const path of paths) writeFileSync(path, "A=good\n", { mode: 0o600 });
    const { target } = open({ paths });
    const bad = paths.map((placement) => ({ placement, key: "A", value: SecretValue.of("bad") }));
    await target.apply({ set: bad, unset: [], keepCopies: true }, orderOf(2), soon());
    await target.restorer?.restore(paths, orderOf(3), soon());
    for (const path of paths) expect(readFileSync(path, "utf8")).toBe("A=good\n");

    await target.apply({ set: bad, unset: [], keepCopies: true }, orderOf(4), soon());
    await target.restorer?.discard([second], soon());
    await expect(target.restorer?.restore(paths, orderOf(5), soon())).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    expect(readFileSync(first, "utf8")).toContain("bad");
  });

  it("throws unknown when the answer is lost, and observing tells the truth", async () => {
    const proxy = await startFaultProxy(sshd.port);
    const { target, at } = open({ ssh: { port: proxy.port } });
    await target.observe([at("A")], soon());
    const long = "x".repeat(300_000);
    const change = { set: [{ ...at("A"), value: SecretValue.of(long) }], unset: [] };
    proxy.cutAfter("to-server", 200_000);
    await expect(target.apply(change, orderOf(2), soon())).rejects.toMatchObject({
      // Over SFTP the rename is a request of its own: before it, nothing can have happened.
      code: sftpOnly ? "TARGET_UNREACHABLE" : "TARGET_OUTCOME_UNKNOWN",
    });
    expect(await value(target, at("A"))).toBe("(absent)");
    expect(await target.apply(change, orderOf(2), soon())).toEqual({ outcome: "changed" });
    expect(await value(target, at("A"))).toBe(long);
    await proxy.stop();
  });

  describe("target test", () => {
    it("is content with a good host, and leaves it untouched", async () => {
      const { target, at } = open();
      const { ok, checks } = await target.probe(soon());
      expect(checks.filter((check) => !check.ok)).toEqual([]);
      expect(ok).toBe(true);
      expect(existsSync(at("").placement)).toBe(false);
    });

    it("names what is wrong, each with its remedy, and never throws", async () => {
      const wide = newPath();
      writeFileSync(wide, "A=1\n");
      chmodSync(wide, 0o644);
      const link = newPath();
      symlinkSync(wide, link);
      const { target } = open({ paths: [wide, link, newPath()] });
      const { ok, checks } = await target.probe(soon());
      expect(ok).toBe(false);
      const wrong = checks.filter((check) => !check.ok).map((check) => check.message);
      expect(wrong).toHaveLength(2);
      expect(wrong[0]).toMatch(/chmod 600/);
      expect(wrong[1]).toMatch(/symbolic link/);
    });

    it("reports a refused key and a wrong pin as checks", async () => {
      for (const [ssh, words] of [
        [{ privateKey: generateKey().privateKey }, /was refused/],
        [{ hostKey: generateKey().publicKey }, /pinned is SHA256:/],
      ] as const) {
        const { ok, checks } = await open({ ssh }).target.probe(soon());
        expect(ok).toBe(false);
        expect(checks).toEqual([{ name: "login", ok: false, message: expect.stringMatching(words) }]);
      }
    });

    itWhere(!sftpOnly)("names a directory to make, and a program that is missing", async () => {
      const paths = [join(directory, "it's new/env")];
      const more = { activate: { command: ["/no/such/program"] } };
      const { checks } = await open({ paths, more }).target.probe(soon());
      const wrong = checks.filter((check) => !check.ok).map((check) => check.message);
      expect(wrong[0]).toContain(`mkdir -p -m 0700 '${directory}/it'\\''s new'`);
      expect(wrong[1]).toContain("/no/such/program");
    });
  });

  itWhere(!sftpOnly)("runs the activation's command", async () => {
    const done = join(directory, "restarted");
    const { target, at } = open({ more: { activate: { command: ["/usr/bin/touch", done] } } });
    const [unit] = (await target.observe([at("A")], soon())).units;
    expect(unit).toMatchObject({ kind: "command", followGroup: `ssh:127.0.0.1:${sshd.port}` });
    if (unit !== undefined) await target.activator?.activate(unit, soon());
    expect(existsSync(done)).toBe(true);
  });
});

afterAll(async () => {
  await closeSshConnections();
});
