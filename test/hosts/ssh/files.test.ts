import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { HostWrite } from "../../../src/core/ports/host.ts";
import { lacks } from "../../support/servers.ts";
import { OTHER_STORE_ID, orderOf, type SshKit, soon, startSshKit } from "../../support/ssh-kit.ts";

const WAYS = [
  { way: "the helper", helper: true },
  { way: "the script", helper: false },
];

describe.skipIf(lacks("sshd")).each(WAYS)("files of a host over SSH, by $way", ({ helper }) => {
  let kit: SshKit;
  let count = 0;

  beforeAll(async () => {
    kit = await startSshKit({}, { helper });
  });
  afterAll(async () => {
    await kit.stop();
  });

  function newPath(): string {
    count += 1;
    return join(kit.directory, `env-${count}`);
  }

  function existing(content: string, mode = 0o600): string {
    const path = newPath();
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  }

  function writing(content: string, before: string | null, generation = 1): HostWrite {
    const digest = before === null ? "absent" : createHash("sha256").update(before).digest("hex");
    return {
      content: Buffer.from(content),
      expectedDigest: digest,
      order: orderOf(generation),
      mode: 0o600,
      keepCopy: true,
    };
  }

  it("answers that a file is absent, also when its directory is", async () => {
    expect(await kit.host.read(newPath(), soon())).toEqual({ state: "absent", order: null });
    expect(await kit.host.read(join(kit.directory, "no/such/dir/env"), soon())).toMatchObject({
      state: "absent",
    });
  });

  it("reads every byte as it stands", async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
    const path = existing("");
    writeFileSync(path, Buffer.concat([bytes, Buffer.from("lockstep end\n\n")]));
    const file = await kit.host.read(path, soon());
    expect(file).toMatchObject({ state: "present", mode: 0o600, order: null });
    if (file.state === "present") expect(Buffer.from(file.content).equals(readFileSync(path))).toBe(true);
  });

  it("makes a new file with its mode and leaves the order's marker", async () => {
    const path = newPath();
    await kit.host.write(path, { ...writing("A=1\n", null, 7), mode: 0o640 }, soon());
    expect(readFileSync(path, "utf8")).toBe("A=1\n");
    expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(await kit.host.read(path, soon())).toMatchObject({ order: orderOf(7), mode: 0o640 });
  });

  it("replaces a file, keeps its mode and leaves nothing beside it", async () => {
    const path = existing("A=1\n", 0o640);
    const before = statSync(path).ino;
    await kit.host.write(path, writing("A=2\n", "A=1\n"), soon());
    expect(readFileSync(path, "utf8")).toBe("A=2\n");
    expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(statSync(path).ino).not.toBe(before);
    expect(readdirSync(kit.directory).filter((name) => name.startsWith(".lockstep"))).toEqual([]);
  });

  it("carries large and binary content, and paths with blanks and quotes", async () => {
    const content = Buffer.alloc(3 * 1024 * 1024, Buffer.from([0, 10, 13, 39, 92, 255]));
    const path = join(kit.directory, `it's "a" $(path) \\ *`);
    await kit.host.write(path, { content, expectedDigest: "absent", order: orderOf(1), mode: 0o600 }, soon());
    expect(readFileSync(path).equals(content)).toBe(true);
    const file = await kit.host.read(path, soon());
    expect(file.state === "present" && Buffer.from(file.content).equals(content)).toBe(true);
  });

  it("keeps its state in a private directory, and the copy for restoring unreadable for others", async () => {
    const path = existing("OLD=1\n", 0o640);
    await kit.host.write(path, writing("NEW=1\n", "OLD=1\n"), soon());
    const state = join(kit.sshd.home, ".lockstep");
    expect(statSync(state).mode & 0o777).toBe(0o700);
    const key = createHash("sha256").update(path).digest("hex");
    expect(readFileSync(join(state, `${key}.keep`), "utf8")).toBe("OLD=1\n");
    expect(statSync(join(state, `${key}.keep`)).mode & 0o777).toBe(0o600);
  });

  it("refuses to write over a change that came after the look", async () => {
    const path = existing("A=changed by hand\n");
    await expect(kit.host.write(path, writing("A=2\n", "A=1\n"), soon())).rejects.toMatchObject({
      code: "WRITE_CONFLICT",
    });
    await expect(kit.host.write(path, writing("A=2\n", null), soon())).rejects.toMatchObject({
      code: "WRITE_CONFLICT",
    });
    expect(readFileSync(path, "utf8")).toBe("A=changed by hand\n");
    // A refused write raises no marker.
    expect(await kit.host.read(path, soon())).toMatchObject({ order: null });
  });

  it("lets an equal order repeat, and refuses a lower generation, a lower epoch and another store", async () => {
    const path = newPath();
    await kit.host.write(path, writing("A=1\n", null, 5), soon());
    await kit.host.write(path, writing("A=2\n", "A=1\n", 5), soon());
    const refused = [orderOf(4), orderOf(9, 0), orderOf(9, 9, OTHER_STORE_ID)];
    for (const order of refused) {
      await expect(
        kit.host.write(path, { ...writing("A=3\n", "A=2\n"), order }, soon()),
      ).rejects.toMatchObject({ code: "ORDER_REFUSED" });
    }
    expect(readFileSync(path, "utf8")).toBe("A=2\n");
    await kit.host.write(path, { ...writing("A=4\n", "A=2\n"), order: orderOf(1, 2) }, soon());
    expect(readFileSync(path, "utf8")).toBe("A=4\n");
  });

  it("lets exactly one of many racing writers win", async () => {
    const path = existing("A=0\n");
    const outcomes = await Promise.allSettled(
      Array.from({ length: 6 }, (_, index) =>
        kit.host.write(path, writing(`A=writer ${index}\n`, "A=0\n"), soon()),
      ),
    );
    const won = outcomes.filter((outcome) => outcome.status === "fulfilled");
    const lost = outcomes.filter((outcome) => outcome.status === "rejected");
    expect(won).toHaveLength(1);
    for (const outcome of lost) expect(outcome.reason).toMatchObject({ code: "WRITE_CONFLICT" });
    const winner = outcomes.findIndex((outcome) => outcome.status === "fulfilled");
    expect(readFileSync(path, "utf8")).toBe(`A=writer ${winner}\n`);
  });

  it("restores the copy under a new order, once, and only over what it wrote itself", async () => {
    const path = existing("A=good\n");
    await kit.host.write(path, writing("A=bad\n", "A=good\n", 2), soon());
    await expect(kit.host.restore(path, orderOf(1), soon())).rejects.toMatchObject({ code: "ORDER_REFUSED" });
    await kit.host.restore(path, orderOf(3), soon());
    expect(readFileSync(path, "utf8")).toBe("A=good\n");
    await expect(kit.host.restore(path, orderOf(4), soon())).rejects.toMatchObject({ code: "NOT_FOUND" });

    await kit.host.write(path, writing("A=bad\n", "A=good\n", 5), soon());
    writeFileSync(path, "A=by hand\n");
    await expect(kit.host.restore(path, orderOf(6), soon())).rejects.toMatchObject({
      code: "WRITE_CONFLICT",
    });
    expect(readFileSync(path, "utf8")).toBe("A=by hand\n");
  });

  it("discards the copy, and discards it again", async () => {
    const path = existing("A=1\n");
    await kit.host.write(path, writing("A=2\n", "A=1\n"), soon());
    await kit.host.discardRestoreCopy(path, soon());
    await kit.host.discardRestoreCopy(path, soon());
    await expect(kit.host.restore(path, orderOf(9), soon())).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  describe("refuses unsafe files, for reading and for writing", () => {
    async function refused(path: string, words: RegExp) {
      const write = writing("A=2\n", existsSync(path) ? readFileSync(path, "utf8") : null);
      for (const attempt of [() => kit.host.read(path, soon()), () => kit.host.write(path, write, soon())]) {
        await expect(attempt()).rejects.toMatchObject({
          code: "FILE_UNSAFE",
          message: expect.stringMatching(words),
        });
      }
    }

    it("a symbolic link", async () => {
      const path = newPath();
      symlinkSync(existing("A=1\n"), path);
      await refused(path, /symbolic link/);
    });

    it.each([0o644, 0o604, 0o660, 0o602])("mode %o", async (mode) => {
      await refused(existing("A=1\n", mode), /lets other users access it/);
    });

    it("a directory that others may write, at the end and on the way", async () => {
      const wide = join(kit.directory, "wide");
      mkdirSync(join(wide, "inner"), { recursive: true });
      for (const [mode, path] of [
        [0o777, join(wide, "env")],
        [0o1777, join(wide, "env")],
        [0o770, join(wide, "env")],
        [0o777, join(wide, "inner/env")],
      ] as const) {
        chmodSync(wide, mode);
        writeFileSync(path, "A=1\n", { mode: 0o600 });
        await refused(path, /writable by others/);
      }
      rmSync(wide, { recursive: true });
    });

    it.skipIf(process.getuid?.() !== 0)("a foreign owner, of the file and of a directory", async () => {
      const path = existing("A=1\n");
      chownSync(path, 65534, 65534);
      await refused(path, /belongs to the user with id 65534/);
      const directory = join(kit.directory, "foreign");
      mkdirSync(directory);
      writeFileSync(join(directory, "env"), "A=1\n", { mode: 0o600 });
      chownSync(directory, 65534, 65534);
      await refused(join(directory, "env"), /belongs to somebody else/);
    });

    it("and accepts a sticky directory above a private one, and a way through a link of ours", async () => {
      const sticky = join(kit.directory, "sticky");
      mkdirSync(join(sticky, "mine"), { recursive: true });
      chmodSync(sticky, 0o1777);
      symlinkSync(join(sticky, "mine"), join(kit.directory, "link"));
      await kit.host.write(join(kit.directory, "link/env"), writing("A=1\n", null), soon());
      expect(readFileSync(join(sticky, "mine/env"), "utf8")).toBe("A=1\n");
    });
  });

  it("finds a path below home, with one marker however it is written", async () => {
    const path = newPath();
    const short = path.replace(kit.sshd.home, "~");
    await kit.host.write(short, writing("A=1\n", null, 5), soon());
    expect(readFileSync(path, "utf8")).toBe("A=1\n");
    await expect(kit.host.write(path, writing("A=2\n", "A=1\n", 4), soon())).rejects.toMatchObject({
      code: "ORDER_REFUSED",
    });
    expect(await kit.host.read(short, soon())).toEqual(await kit.host.read(path, soon()));
  });

  it.each(["relative", "/a/../b", "/a/b/", "/a//b", "/a\nb", "~user/a"])(
    "refuses the path %j",
    async (path) => {
      await expect(kit.host.read(path, soon())).rejects.toMatchObject({ code: "INPUT_INVALID" });
    },
  );

  it("names the directory that is missing when it should write there", async () => {
    await expect(
      kit.host.write(join(kit.directory, "nowhere/env"), writing("A=1\n", null), soon()),
    ).rejects.toMatchObject({ code: "TARGET_REFUSED", message: expect.stringContaining("nowhere") });
  });
});
