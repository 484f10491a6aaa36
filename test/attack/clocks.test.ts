/**
 * Two servers on one store whose machines' clocks are hours apart, and one that jumps. What has expired, is due or was
 * answered before is one question with one answer: by the store's clock.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { migratePostgresQueue } from "../../src/adapters/queue/postgres-queue.ts";
import { startStoreClock } from "../../src/adapters/store/store-clock.ts";
import type { AppContext } from "../../src/app/base/context.ts";
import { authenticateToken } from "../../src/app/tokens/authenticate-token.ts";
import { createToken } from "../../src/app/tokens/create-token.ts";
import { type Composed, composeContext } from "../../src/composition/compose.ts";
import { readSettings } from "../../src/settings/settings.ts";
import { useDatabase } from "../support/database.ts";
import { databaseUrl } from "../support/database-clusters.ts";
import { TESTER } from "../support/loop-kit.ts";

const HOUR_MS = 3_600_000;
const NEAR_MS = 60_000;
const database = useDatabase();

describe("servers whose clocks are hours apart", () => {
  const directory = mkdtempSync(join(tmpdir(), "lockstep-clocks-"));
  const opened: Composed[] = [];

  beforeAll(() => migratePostgresQueue(database().connection));
  afterEach(() => {
    vi.useRealTimers();
  });
  afterAll(async () => {
    for (const { close } of opened) await close();
    rmSync(directory, { recursive: true });
  });

  /** The rest of the process keeps its time: only this machine's wall clock is another. */
  const wallClockIs = (aheadMs: number) => {
    vi.useRealTimers();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + aheadMs });
  };
  async function server(aheadMs: number): Promise<AppContext> {
    wallClockIs(aheadMs);
    const env = {
      LOCKSTEP_DATA: directory,
      DATABASE_URL: databaseUrl(database().connection),
      LOCKSTEP_LOG_LEVEL: "error",
    };
    const composed = await composeContext("server", readSettings({}, env));
    opened.push(composed);
    return composed.context;
  }
  const storeMs = () => database().store.read.meta.storeNow();
  const awayMs = async ({ clock }: AppContext) => Math.abs(clock.now().getTime() - (await storeMs()));

  it("agree on the time, whatever their own clocks say", async () => {
    for (const aheadMs of [-5 * HOUR_MS, 0, 7 * HOUR_MS])
      expect(await awayMs(await server(aheadMs))).toBeLessThan(NEAR_MS);
  });

  it("ruling 21: a token that has expired is refused by the one that is hours behind, and a fresh one taken by the one ahead", async () => {
    const behind = await server(-5 * HOUR_MS);
    const { id, token } = await createToken(behind, TESTER, {
      name: "ci",
      scopes: ["viewer"],
      expiresInMs: HOUR_MS,
    });
    const ahead = await server(5 * HOUR_MS);
    expect(await authenticateToken(ahead, token)).toMatchObject({ actor: { name: "ci" } });
    await database().pool.query(
      "update api_token set expires_at = now() - interval '1 minute' where id = $1",
      [id],
    );
    wallClockIs(-5 * HOUR_MS);
    await expect(authenticateToken(behind, token)).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
  });

  it("a clock that is set back or forward while a server runs moves nothing back, and nothing for long", async () => {
    const context = await server(0);
    for (const aheadMs of [-8 * HOUR_MS, 0, 3 * HOUR_MS, 0]) {
      const beforeMs = await storeMs();
      wallClockIs(aheadMs);
      expect(context.clock.now().getTime()).toBeGreaterThan(beforeMs - 1_000);
      await vi.waitFor(async () => expect(await awayMs(context)).toBeLessThan(NEAR_MS), { timeout: 10_000 });
    }
  });

  it("a store that does not answer for a while stops no clock", async () => {
    let answers = true;
    const clock = await startStoreClock(async () => {
      if (!answers) throw new Error("away");
      return 1_000_000;
    });
    answers = false;
    const firstMs = clock.now().getTime();
    await vi.waitFor(() => expect(clock.now().getTime()).toBeGreaterThan(firstMs));
    clock.stop();
  });
});
