/**
 * Servers that are killed while they put a value into Vault, remove one, or move all: nothing is lost, and one sweep later
 * nothing stands there that no version names. Every step is walked through in test/app/values; here processes die.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { migratePostgresQueue } from "../../src/adapters/queue/postgres-queue.ts";
import type { AppContext, Checkpoint } from "../../src/app/base/context.ts";
import { setSecret } from "../../src/app/secrets/change-secret.ts";
import { listVersions, revealSecret } from "../../src/app/secrets/read-secrets.ts";
import { moveValues } from "../../src/app/values/move-values.ts";
import { sweepValues } from "../../src/app/values/sweep-values.ts";
import { composeContext } from "../../src/composition/compose.ts";
import { SecretValue } from "../../src/core/secret-value.ts";
import { readSettings } from "../../src/settings/settings.ts";
import { childProgram } from "../support/child-program.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { databaseUrl } from "../support/database-clusters.ts";
import { TESTER } from "../support/loop-kit.ts";
import { startVaultForValues, type VaultForValues } from "../support/vault-values.ts";

const PROGRAM = join(import.meta.dirname, "values-process.ts");
const NAME = { environment: "production", name: "AUTH" };

describe("a server killed with SIGKILL while values are put, removed or moved", () => {
  const directory = mkdtempSync(join(tmpdir(), "lockstep-killed-values-"));
  let database: TestDatabase;
  let vault: VaultForValues;
  let context: AppContext;
  let close: () => Promise<void>;
  let env: Record<string, string>;

  beforeAll(async () => {
    vault = await startVaultForValues();
    database = await createTestDatabase("embedded");
    await migratePostgresQueue(database.connection);
    env = {
      LOCKSTEP_DATA: join(directory, "data"),
      DATABASE_URL: databaseUrl(database.connection),
      LOCKSTEP_LOG_LEVEL: "debug",
      LOCKSTEP_VALUE_STORE: "vault",
      LOCKSTEP_VAULT_ADDR: vault.vault.address,
      LOCKSTEP_VAULT_TOKEN: vault.token,
    };
    ({ context, close } = await composeContext(
      "server",
      readSettings({}, { ...env, LOCKSTEP_LOG_LEVEL: "error" }),
    ));
  }, 120_000);
  afterAll(async () => {
    await close();
    await database.drop();
    await vault.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  /** Answers what it printed before it was killed. */
  async function killed(
    what: "destroy" | "move" | "set",
    at: Checkpoint | Promise<unknown>,
    more = {},
  ): Promise<string> {
    const killAt = typeof at === "string" ? at : "";
    const child = spawn(process.execPath, [await childProgram(PROGRAM)], {
      env: { PATH: process.env["PATH"], ...env, ...more, DO: what, KILL_AT: killAt },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let printed = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (bytes) => (printed += String(bytes)));
    const closed = once(child, "close");
    if (typeof at !== "string") {
      await Promise.race([at, closed]);
      child.kill("SIGKILL");
    }
    await closed;
    expect(child.signalCode, printed).toBe("SIGKILL");
    return printed;
  }

  const set = (value: string) => setSecret(context, TESTER, NAME, { value: SecretValue.of(value) });
  const states = async () =>
    (await listVersions(context, NAME)).map(({ version, state }) => `${version} ${state}`);
  const reveal = async (version: number) =>
    (await revealSecret(context, TESTER, NAME, version)).fields.get("value")?.reveal();
  const standing = () => vault.standing(context.storeId).length;
  const sweep = async () => {
    await database.pool.query("update value_intent set next_attempt_at = now()");
    await sweepValues(context, new AbortController().signal);
    return (await database.pool.query("select from value_intent")).rowCount;
  };

  it("at every step: nothing is lost, and a sweep leaves nothing behind", async () => {
    await set("one");
    const printed = [await killed("set", "value-put")];
    expect(await states()).toEqual(["1 current"]);
    expect(standing()).toBe(2);
    expect(await sweep()).toBe(0);
    expect(standing()).toBe(1);

    // Its write is on the way, and lands when nobody lives who asked for it.
    const late = vault.vault.fault(
      { method: "POST", path: "secret/data/*" },
      { kind: "held", at: "request" },
    );
    printed.push(await killed("set", late.hit()));
    expect(standing()).toBe(1);
    late.release();
    await vi.waitFor(() => expect(standing()).toBe(2));
    expect(await states()).toEqual(["1 current"]);
    expect(await sweep()).toBe(0);
    expect(standing()).toBe(1);
    await set("two");

    printed.push(await killed("move", "values-moved", { LOCKSTEP_VALUE_STORE: "postgres" }));
    expect([await reveal(1), await reveal(2)]).toEqual(["one", "two"]);
    expect(standing()).toBe(2);
    expect(await sweep()).toBe(0);
    expect(standing()).toBe(0);

    for (const at of ["value-intent", "value-put"] as const) {
      printed.push(await killed("move", at));
      expect([await reveal(1), await reveal(2)], at).toEqual(["one", "two"]);
    }
    expect(await moveValues(context, TESTER)).toMatchObject({ moved: 2, left: 0, unreadable: [] });
    expect(await sweep()).toBe(0);
    expect(standing()).toBe(2);

    printed.push(await killed("destroy", "value-removal"));
    expect(await states()).toEqual(["2 current", "1 destroyed"]);
    expect(await sweep()).toBe(0);
    expect(standing()).toBe(1);
    expect(await reveal(2)).toBe("two");

    await set("three");
    printed.push(await killed("destroy", "value-removed", { VERSION: "2" }));
    expect(await states()).toEqual(["3 current", "2 destroyed", "1 destroyed"]);
    expect(standing()).toBe(1);
    expect(await sweep()).toBe(0);
    expect(await reveal(3)).toBe("three");

    for (const secret of ["canary", vault.token])
      expect(printed.join("\n").includes(secret), secret).toBe(false);
    expect(vault.vault.offences).toEqual([]);
  }, 120_000);
});
