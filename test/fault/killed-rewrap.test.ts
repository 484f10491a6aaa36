/**
 * `rewrap` from a root key file to Vault's Transit and back, killed with SIGKILL at each of its steps: nothing is lost,
 * and once it says that it is done the real old key opens nothing, not even for somebody who has it and the database.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLocalKeyRing } from "../../src/adapters/crypto/local-key-ring.ts";
import { createRootKey, readRootKey } from "../../src/adapters/crypto/root-key-file.ts";
import { migratePostgresQueue } from "../../src/adapters/queue/postgres-queue.ts";
import { SEALED_COLUMNS } from "../../src/adapters/store/repositories/sealed-texts.ts";
import { openBundleKey } from "../../src/app/orders/store-keys.ts";
import { setSecret } from "../../src/app/secrets/change-secret.ts";
import { revealSecret } from "../../src/app/secrets/read-secrets.ts";
import { rewrapAll } from "../../src/app/secrets/rewrap-all.ts";
import { composeContext } from "../../src/composition/compose.ts";
import type { KeyRing } from "../../src/core/ports/key-ring.ts";
import { SecretValue } from "../../src/core/secret-value.ts";
import { readSettings } from "../../src/settings/settings.ts";
import { childProgram } from "../support/child-program.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { databaseUrl } from "../support/database-clusters.ts";
import { TESTER } from "../support/loop-kit.ts";
import { startVaultForRings, type VaultForRings } from "../support/vault-ring.ts";

const PROGRAM = join(import.meta.dirname, "rewrap-process.ts");
const VALUES = ["canary-one", "canary-two", "canary-three"];
const WITHIN_MS = 180_000;

describe("a rewrap that is killed", () => {
  const directory = mkdtempSync(join(tmpdir(), "lockstep-killed-rewrap-"));
  const rootKeyFile = join(directory, "before.key");
  const running = new Set<ChildProcess>();
  let database: TestDatabase;
  let server: VaultForRings;
  let local: KeyRing;
  let onTransit: Record<string, string>;
  let onFile: Record<string, string>;

  beforeAll(async () => {
    server = await startVaultForRings();
    database = await createTestDatabase("embedded");
    await migratePostgresQueue(database.connection);
    await createRootKey(rootKeyFile);
    local = createLocalKeyRing((await readRootKey(rootKeyFile)) ?? new Uint8Array());
    const both = {
      LOCKSTEP_DATA: join(directory, "data"),
      DATABASE_URL: databaseUrl(database.connection),
      LOCKSTEP_LOG_LEVEL: "error",
      LOCKSTEP_VAULT_ADDR: server.vault.address,
      LOCKSTEP_VAULT_TOKEN: server.token,
    };
    onTransit = { ...both, LOCKSTEP_KEY_RING: "vault-transit" };
    onFile = { ...both, LOCKSTEP_ROOT_KEY_FILE: rootKeyFile };
  }, WITHIN_MS);
  afterAll(async () => {
    for (const child of running) child.kill("SIGKILL");
    await database.drop();
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const name = (index: number) => ({ environment: "production", name: `SECRET_${index}` });
  /** In this process, with these settings. */
  async function withContext<T>(
    env: Record<string, string>,
    work: (context: Awaited<ReturnType<typeof composeContext>>["context"]) => Promise<T>,
  ): Promise<T> {
    const { context, close } = await composeContext("server", readSettings({}, env));
    try {
      return await work(context);
    } finally {
      await close();
    }
  }
  const readAll = (env: Record<string, string>) =>
    withContext(env, async (context) => {
      await openBundleKey(context);
      const read = VALUES.map(async (_, index) => {
        const { fields } = await revealSecret(context, TESTER, name(index));
        return fields.get("value")?.reveal();
      });
      return await Promise.all(read);
    });
  async function start(env: Record<string, string>, killAt = ""): Promise<ChildProcess> {
    const child = spawn(process.execPath, [await childProgram(PROGRAM)], {
      env: { PATH: process.env["PATH"], ...env, KILL_AT: killAt },
      stdio: ["ignore", "pipe", "inherit"],
    });
    running.add(child);
    child.once("exit", () => running.delete(child));
    return child;
  }
  async function killed(env: Record<string, string>, at: string): Promise<void> {
    const child = await start(env, at);
    if (child.signalCode === null && child.exitCode === null) await once(child, "exit");
    expect(child.signalCode, at).toBe("SIGKILL");
  }
  async function done(
    env: Record<string, string>,
  ): Promise<{ left: number; unreadable: unknown[]; ring: string }> {
    const child = await start(env);
    const said = await text(child.stdout ?? expect.fail("no output"));
    return JSON.parse(said.split("\n")[1] ?? "") as { left: number; unreadable: unknown[]; ring: string };
  }
  /** Every sealed text there is, as it stands in the database: key, wrapped data key. */
  async function sealedTexts(): Promise<readonly { readonly keyId: string; readonly wrapped: Buffer }[]> {
    const found = [];
    for (const { table, column } of SEALED_COLUMNS) {
      const { rows } = await database.pool.query<{ sealed: string }>(
        `select ${column} as sealed from ${table} where ${column} is not null`,
      );
      found.push(...rows.map(({ sealed }) => sealed.split(".")));
    }
    return found.map(([, , keyId = "", wrapped = ""]) => ({
      keyId,
      wrapped: Buffer.from(wrapped, "base64url"),
    }));
  }
  const openedBy = async (ring: KeyRing) => {
    const texts = await sealedTexts();
    expect(texts.length).toBeGreaterThanOrEqual(VALUES.length + 3);
    return texts.filter(({ keyId }) => ring.holds(keyId)).length;
  };

  it(
    "to Transit and back: readable at every step, by the new key alone at the end",
    async () => {
      await withContext(onFile, async (context) => {
        for (const [index, value] of VALUES.entries())
          await setSecret(context, TESTER, name(index), { value: SecretValue.of(value) });
        await openBundleKey(context);
      });
      const transit = server.ring();
      const there = { ...onTransit, LOCKSTEP_PREVIOUS_ROOT_KEY_FILE: rootKeyFile };
      const before = await sealedTexts();
      for (const at of ["rewrap-begun:1", "rewrap-sealed:1", "rewrap-page:1", "rewrap-own:1"]) {
        await killed(there, at);
        expect(await readAll(there), at).toEqual(VALUES);
        // Not done: without the old key nobody starts.
        await expect(readAll(onTransit), at).rejects.toMatchObject({ code: "ROOT_KEY_WRONG" });
      }
      // A rotation and a seal of Vault in the middle, and two runs at once.
      server.rotate();
      server.vault.become("sealed");
      await expect(withContext(there, (context) => rewrapAll(context, TESTER))).rejects.toMatchObject({
        code: "KEY_RING_UNAVAILABLE",
      });
      server.vault.become("active");
      const ends = await Promise.all([done(there), done(there)]);
      expect(ends.map(({ left, unreadable }) => [left, unreadable])).toEqual([
        [0, []],
        [0, []],
      ]);
      expect(ends[0]?.ring).toBe("vault-transit transit/lockstep v2");
      expect(await openedBy(local)).toBe(0);
      for (const { wrapped } of await sealedTexts())
        await expect(local.unwrap(wrapped, local.rootKeyId ?? "", "row")).rejects.toMatchObject({
          code: "SEALED_UNREADABLE",
        });
      // No root key file is needed, made or looked for.
      expect(await readAll(onTransit)).toEqual(VALUES);
      await expect(readAll(onFile)).rejects.toMatchObject({ code: "ROOT_KEY_WRONG" });
      server.configure({ min_decryption_version: 2 });
      expect(await readAll(onTransit)).toEqual(VALUES);

      const back = { ...onFile, LOCKSTEP_PREVIOUS_KEY_RING: "vault-transit" };
      for (const at of ["rewrap-page:1", "rewrap-own:1"]) {
        await killed(back, at);
        expect(await readAll(back), at).toEqual(VALUES);
        await expect(readAll(onFile), at).rejects.toMatchObject({ code: "ROOT_KEY_WRONG" });
      }
      expect(await done(back)).toMatchObject({ left: 0, unreadable: [], ring: "local" });
      expect(await openedBy(transit)).toBe(0);
      // Somebody with every right in Vault, and the database.
      for (const { wrapped } of await sealedTexts()) {
        const { status } = server.vault.request("POST", "transit/decrypt/lockstep", {
          ciphertext: `vault:v2:${wrapped.toString("base64")}`,
        });
        expect(status).toBe(400);
      }
      server.vault.become("sealed");
      expect(await readAll(onFile)).toEqual(VALUES);
      expect(await sealedTexts()).toHaveLength(before.length);
      expect(server.vault.offences).toEqual([]);
    },
    WITHIN_MS,
  );
});
