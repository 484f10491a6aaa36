/** A worker as it is started: it shows what it does where it is told to, and nobody of ours can be sent there. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { claimedListeners } from "../../src/adapters/outgoing/own-listeners.ts";
import { migratePostgresQueue } from "../../src/adapters/queue/postgres-queue.ts";
import { type Started, startProcess } from "../../src/composition/start.ts";
import { readSettings, type Settings } from "../../src/settings/settings.ts";
import { useDatabase } from "../support/database.ts";
import { databaseUrl } from "../support/database-clusters.ts";

const getDatabase = useDatabase();
const directory = mkdtempSync(join(tmpdir(), "lockstep-worker-listener-"));
let settings: Settings;

beforeAll(async () => {
  const { connection } = getDatabase();
  await migratePostgresQueue(connection);
  settings = readSettings(
    {},
    {
      LOCKSTEP_DATA: join(directory, "data"),
      DATABASE_URL: databaseUrl(connection),
      LOCKSTEP_LOG_LEVEL: "error",
      LOCKSTEP_METRICS_LISTEN: "0",
    },
  );
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test("shows its rounds at its own address, which is no place for an outgoing request", async () => {
  const before = new Set(claimedListeners());
  const started: Started = await startProcess({ role: "worker", settings, version: "1.2.3" });
  try {
    const [listener] = claimedListeners().filter((one) => !before.has(one));
    expect(listener?.host).toBe("127.0.0.1");
    const scraped = await fetch(`http://127.0.0.1:${listener?.port}/metrics`);
    expect(scraped.headers.get("content-type")).toContain("version=0.0.4");
    const text = await scraped.text();
    expect(text).toContain('lockstep_build_info{version="1.2.3"} 1');
    expect(text).toMatch(/^lockstep_store_connections_max \d+$/m);
    expect(text).not.toContain("lockstep_targets");
  } finally {
    await started.close();
  }
  expect(claimedListeners().filter((one) => !before.has(one))).toEqual([]);
});

test("listens nowhere unless told", async () => {
  const before = [...claimedListeners()];
  const started = await startProcess({
    role: "worker",
    settings: { ...settings, metricsListener: null },
    version: "1.2.3",
  });
  expect(claimedListeners()).toEqual(before);
  await started.close();
});
