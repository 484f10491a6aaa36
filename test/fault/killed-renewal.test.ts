/**
 * Workers that are killed while they renew a token at a real provider, whose refresh tokens are good once: no refresh
 * token is ever presented twice, none that came is lost without a word, and a person's new one sets it right.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { migratePostgresQueue } from "../../src/adapters/queue/postgres-queue.ts";
import type { AppContext } from "../../src/app/base/context.ts";
import { applyConfig } from "../../src/app/config/apply-config.ts";
import { viewRenewals } from "../../src/app/renewals/view-renewals.ts";
import { setSecret } from "../../src/app/secrets/change-secret.ts";
import { composeContext } from "../../src/composition/compose.ts";
import type { JsonObject } from "../../src/core/json.ts";
import { SecretValue } from "../../src/core/secret-value.ts";
import { configSchema } from "../../src/protocol/config.ts";
import { readSettings } from "../../src/settings/settings.ts";
import { childProgram } from "../support/child-program.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { databaseUrl } from "../support/database-clusters.ts";
import { TESTER } from "../support/loop-kit.ts";
import { type OpenIdProvider, startOpenIdProvider } from "../support/openid-provider.ts";

const WORKER = join(import.meta.dirname, "worker-process.ts");
const WITHIN_MS = 60_000;

describe("a worker killed with SIGKILL while it renews", () => {
  const directory = mkdtempSync(join(tmpdir(), "lockstep-killed-renewal-"));
  const workers = new Set<ChildProcess>();
  let database: TestDatabase;
  let context: AppContext;
  let close: () => Promise<void>;
  let provider: OpenIdProvider;
  let env: Record<string, string>;

  let policies: Readonly<Record<"PLAIN" | "TOKEN", JsonObject>>;

  const set = (name: string, value: string) =>
    setSecret(context, TESTER, { environment: "production", name }, { value: SecretValue.of(value) });
  const renewal = async (name = "TOKEN") =>
    (await viewRenewals(context)).find(({ secret }) => secret === name);
  const until = (what: () => Promise<boolean>) =>
    expect.poll(what, { timeout: WITHIN_MS, interval: 50 }).toBe(true);
  const leaseEnds = () =>
    sql`update renewal set lease_until = now() where lease_until is not null`.execute(database.db);
  const dueAgain = () =>
    sql`update renewal set made_at = now() - interval '1 hour', made_expires_at = now() + interval '1 second', not_before = null`.execute(
      database.db,
    );

  /** The others have no issuer meanwhile: who is killed is then known. */
  async function issued(...names: readonly ("PLAIN" | "TOKEN")[]): Promise<void> {
    for (const name of ["PLAIN", "TOKEN"] as const) {
      const secret = await context.store.read.secrets.find("production", name);
      const policy: JsonObject = names.includes(name) ? { issue: { oauth2: policies[name] } } : {};
      await context.store.transaction((tx) => tx.secrets.setPolicy(secret?.id ?? "", policy));
    }
  }

  async function start(killAt = ""): Promise<ChildProcess> {
    const child = spawn(process.execPath, [await childProgram(WORKER)], {
      env: { PATH: process.env["PATH"], ...env, KILL_AT: killAt },
      stdio: ["ignore", "pipe", "inherit"],
    });
    workers.add(child);
    child.once("exit", () => workers.delete(child));
    await once(child.stdout, "data");
    return child;
  }

  beforeAll(async () => {
    provider = await startOpenIdProvider();
    database = await createTestDatabase("embedded");
    await migratePostgresQueue(database.connection);
    env = {
      LOCKSTEP_DATA: join(directory, "data"),
      DATABASE_URL: databaseUrl(database.connection),
      LOCKSTEP_LOG_LEVEL: "error",
    };
    ({ context, close } = await composeContext("server", readSettings({}, { ...env })));
    const oauth2 = { tokenUrl: `${provider.url}/token`, clientId: "lockstep", clientSecret: "CLIENT_SECRET" };
    const config = configSchema.parse({
      environments: {
        production: {
          secrets: {
            CLIENT_SECRET: {},
            REFRESH: {},
            TOKEN: { issue: { oauth2: { ...oauth2, refreshToken: "REFRESH" } } },
            PLAIN: { issue: { oauth2 } },
          },
        },
      },
    });
    const { TOKEN, PLAIN } = config.environments["production"]?.secrets ?? {};
    policies = JSON.parse(
      JSON.stringify({ TOKEN: TOKEN?.issue?.oauth2, PLAIN: PLAIN?.issue?.oauth2 }),
    ) as typeof policies;
    await applyConfig(context, TESTER, { config });
    await set("CLIENT_SECRET", provider.clientSecret);
  }, 120_000);
  afterAll(async () => {
    await close();
    await database.drop();
    await provider.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  beforeEach(async () => {
    await set("REFRESH", await provider.signIn());
    await sql`delete from renewal`.execute(database.db);
    await sql`delete from secret_version where secret_id in (select id from secret where name in ('TOKEN', 'PLAIN'))`.execute(
      database.db,
    );
  });
  afterEach(async () => {
    for (const worker of [...workers]) {
      const gone = once(worker, "exit");
      worker.kill("SIGKILL");
      await gone;
    }
  });

  it.each(["renewal-intent"])(
    "at %s: what may be used up is not used again; a new sign-in sets it right",
    async (point) => {
      // The provider was seen to replace what is used.
      await sql`insert into renewal (secret_id, rotates) select id, true from secret where name = 'TOKEN'`.execute(
        database.db,
      );
      await issued("TOKEN");
      const doomed = await start(`${point}:1`);
      if (doomed.signalCode === null) await once(doomed, "exit");
      expect(doomed.signalCode).toBe("SIGKILL");
      await leaseEnds();
      await start();
      await until(async () => (await renewal())?.error?.code === "ISSUER_OUTCOME_UNKNOWN");
      expect((await renewal())?.state).toBe("lost");
      await set("REFRESH", await provider.signIn());
      await until(async () => (await renewal())?.state === "good");
      expect(provider.reuses()).toBe(0);
    },
    WITHIN_MS,
  );

  it.each(["renewal-answered", "recorded"])(
    "at %s, right after it wrote down what came: the next one goes on with it",
    async (point) => {
      await issued("TOKEN");
      const doomed = await start(`${point}:1`);
      if (doomed.signalCode === null) await once(doomed, "exit");
      await leaseEnds();
      await start();
      for (let round = 0; round < 3; round += 1) {
        await until(async () => (await renewal())?.state === "good");
        await dueAgain();
        await until(async () => Date.parse((await renewal())?.expiresAt ?? "") > Date.now() + 30_000);
      }
      expect(provider.reuses()).toBe(0);
    },
    WITHIN_MS,
  );

  it(
    "a token without anything to use up is simply made again",
    async () => {
      await issued("PLAIN");
      const doomed = await start("renewal-answered:1");
      if (doomed.signalCode === null) await once(doomed, "exit");
      await leaseEnds();
      await start();
      await until(async () => (await renewal("PLAIN"))?.state === "good");
    },
    WITHIN_MS,
  );

  it(
    "five workers at once: one request for each token that is due",
    async () => {
      await issued("PLAIN", "TOKEN");
      await Promise.all(Array.from({ length: 5 }, () => start()));
      await until(
        async () => (await renewal())?.state === "good" && (await renewal("PLAIN"))?.state === "good",
      );
      const before = provider.grants();
      for (let round = 1; round <= 3; round += 1) {
        await dueAgain();
        await until(async () => provider.grants() === before + 2 * round);
        await until(
          async () => (await renewal())?.state === "good" && (await renewal("PLAIN"))?.state === "good",
        );
      }
      expect(provider.grants()).toBe(before + 6);
      expect(provider.reuses()).toBe(0);
    },
    WITHIN_MS,
  );
});
