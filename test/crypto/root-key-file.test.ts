import { chmod, chown, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createRootKey, readRootKey } from "../../src/adapters/crypto/root-key-file.ts";
import { exposureOf } from "../../src/lib/credential-file.ts";

describe("the root key's file", () => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "lockstep-root-key-"));
    path = join(directory, "root.key");
  });
  afterEach(() => rm(directory, { recursive: true }));

  it("is made for its owner alone, whole, and never overwritten", async () => {
    const deeper = join(directory, "deeper", "root.key");
    const key = await createRootKey(deeper);
    expect((await stat(deeper)).mode & 0o777).toBe(0o600);
    expect((await stat(join(directory, "deeper"))).mode & 0o777).toBe(0o700);
    expect(await readRootKey(deeper)).toEqual(key);
    expect(await createRootKey(deeper)).toBeNull();
    expect(await readRootKey(deeper)).toEqual(key);
    expect(await readdir(join(directory, "deeper"))).toEqual(["root.key"]);
  });

  it("made by many at once is one key", async () => {
    const made = await Promise.all(Array.from({ length: 8 }, () => createRootKey(path)));
    expect(made.filter((key) => key !== null)).toEqual([await readRootKey(path)]);
    expect(await readdir(directory)).toEqual(["root.key"]);
  });

  it("that is not there is null, and is not made by looking", async () => {
    expect(await readRootKey(path)).toBeNull();
    expect(await readdir(directory)).toEqual([]);
  });

  it.each([0o640, 0o604, 0o660, 0o610])("of mode %o is refused with the remedy", async (mode) => {
    await createRootKey(path);
    await chmod(path, mode);
    await expect(readRootKey(path)).rejects.toMatchObject({
      code: "ROOT_KEY_WRONG",
      hint: `chmod 600 ${path}`,
    });
  });

  it.skipIf(process.getuid?.() !== 0)("that another user owns is refused with the remedy", async () => {
    await createRootKey(path);
    await chown(path, 65_534, 65_534);
    await expect(readRootKey(path)).rejects.toMatchObject({
      code: "ROOT_KEY_WRONG",
      hint: `chown 0 ${path}`,
    });
  });

  it("behind a link is judged as what it is", async () => {
    const real = join(directory, "real.key");
    const key = await createRootKey(real);
    await symlink(real, path);
    expect(await readRootKey(path)).toEqual(key);
    await chmod(real, 0o644);
    await expect(readRootKey(path)).rejects.toMatchObject({ code: "ROOT_KEY_WRONG" });
  });

  it.each(["", "short", `${"A".repeat(43)}\n\n`, "!".repeat(43), "A".repeat(4_000)])(
    "that holds %j is refused, and not replaced",
    async (text) => {
      await writeFile(path, text, { mode: 0o600 });
      await expect(readRootKey(path)).rejects.toMatchObject({ code: "ROOT_KEY_WRONG" });
      expect((await stat(path)).size).toBe(text.length);
    },
  );

  it("a directory or a device in its place is refused", async () => {
    await expect(readRootKey(directory)).rejects.toMatchObject({ code: "ROOT_KEY_WRONG" });
    await expect(readRootKey("/dev/null")).rejects.toMatchObject({ code: "ROOT_KEY_WRONG" });
  });

  it.each([
    { shape: "private", mode: 0o100600, uid: 1000, gid: 1000, self: 1000, exposure: null },
    { shape: "read-only", mode: 0o100400, uid: 1000, gid: 1000, self: 1000, exposure: null },
    { shape: "a systemd credential", mode: 0o100440, uid: 0, gid: 0, self: 1000, exposure: null },
    { shape: "that for everyone", mode: 0o100444, uid: 0, gid: 0, self: 1000, exposure: "wide-mode" },
    { shape: "that of a group", mode: 0o100440, uid: 0, gid: 50, self: 1000, exposure: "wide-mode" },
    { shape: "that when we are root", mode: 0o100440, uid: 0, gid: 0, self: 0, exposure: "wide-mode" },
    { shape: "somebody's", mode: 0o100600, uid: 1001, gid: 1001, self: 1000, exposure: "foreign-owner" },
  ])("$shape ($mode, $uid:$gid, for $self) is $exposure", ({ exposure, self, ...found }) => {
    expect(exposureOf(found, self)).toBe(exposure);
  });
});
