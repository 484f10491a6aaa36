import { copyFile, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { rootKeyFile } from "../../src/adapters/crypto/ring-sources.ts";
import { createRootKey } from "../../src/adapters/crypto/root-key-file.ts";
import { openStoreKeys } from "../../src/adapters/crypto/store-keys.ts";
import { SecretValue } from "../../src/core/secret-value.ts";
import { describeOnEachStore } from "../support/database.ts";

const VALUE = SecretValue.of("v");

describeOnEachStore("the keys of a store", (database) => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "lockstep-keys-"));
    path = join(directory, "root.key");
    await database().pool.query("truncate store_meta, environment cascade");
  });
  afterEach(() => rm(directory, { recursive: true }));
  const open = (file = path, previous: string | null = null) =>
    openStoreKeys(database().store, {
      wanted: rootKeyFile(file),
      previous: previous === null ? [] : [rootKeyFile(previous)],
    });

  it("are made once, and open the same store again", async () => {
    const first = await open();
    const sealed = await first.sealer.seal("x", "row");
    const again = await open();
    expect(again.storeId).toBe(first.storeId);
    expect(await again.sealer.open(sealed, "row")).toBe("x");
    expect(again.fingerprinter.fingerprint("s", VALUE)).toBe(first.fingerprinter.fingerprint("s", VALUE));
  });

  it("a missing or another root key is refused by name, and replaces nothing", async () => {
    await open();
    await rm(path);
    await expect(open()).rejects.toMatchObject({ code: "ROOT_KEY_MISSING" });
    await expect(stat(path)).rejects.toMatchObject({ code: "ENOENT" });
    await createRootKey(path);
    await expect(open()).rejects.toMatchObject({ code: "ROOT_KEY_WRONG" });
  });

  it("a key given for an empty store is used, not replaced", async () => {
    const key = await createRootKey(path);
    expect(key).not.toBeNull();
    const { storeId } = await open();
    expect((await open()).storeId).toBe(storeId);
  });

  it("starts racing for an empty store end with one key, which all of them use", async () => {
    const keys = await Promise.all(Array.from({ length: 4 }, () => open()));
    expect(new Set(keys.map(({ storeId }) => storeId)).size).toBe(1);
    const sealed = (await keys[0]?.sealer.seal("x", "row")) ?? "";
    for (const { sealer } of keys) expect(await sealer.open(sealed, "row")).toBe("x");
  });

  it("starts racing on two machines leave one key; the other's is taken away and it is told so", async () => {
    const files = [join(directory, "a.key"), join(directory, "b.key")];
    const started = await Promise.allSettled(files.map((file) => open(file)));
    const refused = started.filter((one) => one.status === "rejected");
    expect(refused.map(({ reason }) => reason.code)).toEqual(
      refused.map(() => expect.stringMatching(/^ROOT_KEY_(?:WRONG|MISSING)$/)),
    );
    expect(refused).toHaveLength(1);
    const left = await readdir(directory);
    expect(left).toHaveLength(1);
    await open(join(directory, left[0] ?? ""));
  });

  it("a store that lost its identity row but holds values gets no new key", async () => {
    const { sealer } = await open();
    const { pool } = database();
    await pool.query("insert into environment (name) values ('production')");
    await pool.query("insert into secret (environment_id, name) select id, 'X' from environment");
    await pool.query(
      `insert into secret_version (secret_id, version, state, value_sealed, fingerprint, created_by)
       select id, 1, 'current', $1, 'f', 'test' from secret`,
      [await sealer.seal("x", "row")],
    );
    await pool.query("truncate store_meta");
    await rm(path);
    await expect(open()).rejects.toMatchObject({ code: "SEALED_UNREADABLE" });
    await expect(stat(path)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("while the root key changes, the new one opens the store only beside the previous one", async () => {
    const { storeId } = await open();
    const previousRootKeyFile = join(directory, "previous.key");
    await copyFile(path, previousRootKeyFile);
    await rm(path);
    await createRootKey(path);
    await expect(open()).rejects.toMatchObject({ code: "ROOT_KEY_WRONG" });
    expect((await open(path, previousRootKeyFile)).storeId).toBe(storeId);
    await rm(previousRootKeyFile);
    await expect(open(path, previousRootKeyFile)).rejects.toMatchObject({ code: "ROOT_KEY_MISSING" });
  });
});
