/**
 * Law 3 and ruling 29 after a failover: a real streaming standby is promoted without the last commits of its primary.
 * What was rotated in them stands at the places, and the promoted store does not know it.
 */
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { migrate } from "../../src/adapters/store/migrator.ts";
import { createDatabase, createPool, type StoreConnection } from "../../src/adapters/store/pool.ts";
import { createStore } from "../../src/adapters/store/store.ts";
import { closeSshConnections, sshKind } from "../../src/adapters/targets/ssh/target.ts";
import type { TestDatabase } from "../support/database.ts";
import { SILENT } from "../support/database-clusters.ts";
import { lacks } from "../support/servers.ts";
import { type RunningSshd, startSshd } from "../support/sshd.ts";
import { Lives } from "./lives.ts";
import { type Pair, startPair } from "./standby.ts";

function databaseOn(connection: StoreConnection): TestDatabase {
  const openPool = () => createPool(connection, SILENT, { maxConnections: 5 });
  const pool = openPool();
  const store = createStore(pool);
  return {
    kind: "postgres",
    connection,
    pool,
    db: createDatabase(pool),
    store,
    openPool,
    drop: () => pool.end(),
  };
}

describe.skipIf(lacks("postgres") || lacks("sshd"))(
  "a standby that was promoted without the last commits",
  () => {
    let pair: Pair;
    let sshd: RunningSshd;
    let path: string;

    beforeAll(async () => {
      [pair, sshd] = await Promise.all([startPair(), startSshd()]);
      path = join(mkdtempSync(join(sshd.home, "app-")), "env");
      writeFileSync(path, "KEPT=theirs\n", { mode: 0o600 });
    }, 60_000);
    afterAll(async () => {
      await closeSshConnections();
      await Promise.all([pair.stop(), sshd.stop()]);
    });

    it("writes nothing of what it knows over what was rotated since, and says why", async () => {
      await migrate(pair.primary, SILENT);
      const primary = databaseOn(pair.primary);
      const lives = new Lives(primary, [sshKind]);
      await lives.begin();
      const raw = { ssh: sshd.login, files: [{ path, format: "dotenv" }] };
      await lives.place("vps", { kind: sshKind, raw, file: path });
      const { first } = lives;
      for (const value of ["value-1", "value-2"]) {
        await lives.kit.set("AUTH", value, first.context);
        await first.rest();
      }
      await pair.caughtUp();
      await pair.cut();
      await lives.kit.set("AUTH", "value-3", first.context);
      await first.rest();
      const stands = readFileSync(path, "utf8");
      expect(stands).toContain("value-3");
      await primary.drop();
      await pair.failOver();

      const promoted = databaseOn(pair.standby);
      const after = lives.lifeOn(promoted.store, promoted.pool);
      // The same number again, to something else.
      await lives.kit.set("AUTH", "another-3", after.context);
      await after.rest();
      expect(readFileSync(path, "utf8")).toBe(stands);
      expect(await after.context.store.read.meta.setBack()).toMatchObject({ target: "vps", by: "mark" });
      await expect(lives.kit.set("AUTH", "another-4", after.context)).rejects.toMatchObject({
        code: "STORE_SET_BACK",
      });
      await promoted.drop();
    });
  },
);
