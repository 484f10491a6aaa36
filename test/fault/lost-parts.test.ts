import { afterEach, describe, expect, it } from "vitest";
import { end, type FaultKit, startFaultKit, until } from "../support/fault-kit.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { lacks } from "../support/servers.ts";

const everywhere = (value: string) => ({ railway: value, file: value, running: value });

describe.skipIf(lacks("sshd") || lacks("redis"))("parts that get lost while a rotation is under way", () => {
  const stops: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  async function start(): Promise<{ readonly kit: FaultKit; readonly redis: TestRedis }> {
    const redis = await startRedis();
    stops.push(() => redis.stop());
    const kit = await startFaultKit({ redisUrl: redis.url });
    stops.push(() => kit.stop());
    return { kit, redis };
  }

  /** Held at the write, so that the loss happens in the middle of it. */
  async function midway(kit: FaultKit): Promise<void> {
    await kit.railway.faults.add({ kind: "slow", operation: "variableCollectionUpsert", holdMs: 300 });
    await kit.set("second");
    await kit.railway.log.waitFor({ operation: "UpsertVariables" }).catch(() => undefined);
  }

  it("Law 1: Redis flushed, then killed for good: each rotation ends, and the canary was never in it", async () => {
    const { kit, redis } = await start();
    const worker = await kit.startWorker();
    await kit.set("canary-first-61b2");
    await kit.settled();
    expect(await redis.dump()).not.toContain("canary-first-61b2");
    await midway(kit);
    await redis.flush();
    await kit.settled();
    expect(await kit.places()).toEqual(everywhere("second"));

    await redis.kill();
    await kit.set("third");
    await kit.settled();
    expect(await kit.places()).toEqual(everywhere("third"));
    expect(await kit.rows("select 1 from push where outcome in ('started', 'unknown')")).toEqual([]);
    await end(worker, "SIGTERM");
    // To stop without Redis alone takes ten seconds, after which it is left.
  }, 60_000);

  it("every connection to Postgres cut: the rotation ends", async () => {
    const { kit } = await start();
    await kit.startWorker();
    await kit.set("first");
    await kit.settled();
    await midway(kit);
    await kit.cutStoreConnections();
    await kit.settled();
    expect(await kit.places()).toEqual(everywhere("second"));
    expect(await kit.rows("select 1 from push where outcome in ('started', 'unknown')")).toEqual([]);
  });

  it("two workers, two rotations in a row, a slow first push, a write that lands after its 504: the newest value is the last", async () => {
    const { kit } = await start();
    await kit.startWorker();
    await kit.startWorker();
    await kit.set("first");
    await kit.settled();
    await kit.railway.faults.add({
      kind: "gateway-timeout",
      operation: "variableCollectionUpsert",
      applied: "late",
      lateMs: 600,
    });
    await kit.set("second");
    await kit.railway.log.waitFor({ operation: "UpsertVariables", count: 2 });
    await kit.set("third");
    const claimed: unknown[] = [];
    await until(async () => {
      const inFlight = await kit.rows<{ evidence: string | null }>(
        "select b.evidence from binding b join target t on t.id = b.target_id where t.in_flight_until > now() and t.kind = 'railway' and b.settled ->> 'primary' = '3'",
      );
      claimed.push(...inFlight.map((row) => row.evidence).filter((evidence) => evidence !== "acknowledged"));
      return (await kit.rows("select 1 from rollout where state in ('running', 'stalled')")).length === 0;
    }, kit.stderr);
    await kit.settled();
    expect(claimed).toEqual([]);
    expect(await kit.places()).toEqual(everywhere("third"));
    // A look into the processes, where one was due already, shows more.
    expect(await kit.rows("select 1 from binding where evidence in ('deployed', 'running')")).toHaveLength(2);
  }, 60_000);

  it("a second run of everything writes nothing and restarts nothing", async () => {
    const { kit } = await start();
    await kit.startWorker();
    await kit.set("first");
    await kit.settled();
    await kit.railway.log.clear({});
    const starts = kit.hostStarts();
    const files = await kit.places();
    await kit.rows("update target set generation = generation + 1, next_action_at = now()");
    await kit.settled();
    expect(await kit.railway.log.writes()).toEqual([]);
    expect(await kit.railway.log.deploys()).toEqual([]);
    expect(kit.hostStarts()).toBe(starts);
    expect(await kit.places()).toEqual(files);
  });
});
