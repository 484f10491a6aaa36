import { expect, test } from "vitest";
import type { AgentRepo } from "../../src/core/store/agents.ts";
import { describeOnEachStore, somebodyWaitsForLock, type TestDatabase } from "../support/database.ts";

const ACTOR = { kind: "token", id: "ops", name: "ops" } as const;
const MINUTE_MS = 60_000;

let made = 0;

interface Stage {
  readonly targetId: string;
  readonly enrolmentId: string;
  readonly lookupHash: string;
}

async function stage(
  { store, pool }: TestDatabase,
  { reusable = false, livesMs = MINUTE_MS } = {},
): Promise<Stage> {
  made += 1;
  const { rows } = await pool.query<{ id: string }>(
    `with place as (insert into environment (name) values ($1) returning id)
     insert into target (environment_id, name, kind, config, destination)
     select id, 'mini', 'agent', '{}', 'agent' from place returning id`,
    [`env-${made}`],
  );
  const targetId = rows[0]?.id ?? "";
  const enrolmentId = crypto.randomUUID();
  const lookupHash = `lookup-${made}`;
  await store.transaction((tx) =>
    tx.agents.invite({
      id: enrolmentId,
      targetId,
      lookupHash,
      macKeySealed: "sealed",
      reusable,
      replaces: false,
      actor: ACTOR,
      livesMs,
    }),
  );
  return { targetId, enrolmentId, lookupHash };
}

function newAgent({ targetId, enrolmentId }: Stage, x: string): Parameters<AgentRepo["add"]>[0] {
  return {
    targetId,
    enrolmentId,
    shortLived: false,
    signKey: { kty: "OKP", crv: "Ed25519", x },
    encryptKey: { kty: "OKP", crv: "X25519", x: `${x}-encrypt` },
    challengeHash: "challenge",
    facts: { hostname: "mini" },
    enrolledFrom: null,
    livesMs: 60_000,
  };
}

describeOnEachStore("agents and their codes", (getDatabase) => {
  test("a code is used once, one for many until it expires, and neither after it was revoked", async () => {
    const { store } = getDatabase();
    const once = await stage(getDatabase());
    const use = (id: string) => store.transaction((tx) => tx.agents.useEnrolment(id));
    expect(await store.read.agents.findEnrolment(once.lookupHash)).toMatchObject({
      id: once.enrolmentId,
      target: "mini",
      macKeySealed: "sealed",
      actor: ACTOR,
      expired: false,
      usedAt: null,
    });
    expect([await use(once.enrolmentId), await use(once.enrolmentId)]).toEqual([true, false]);

    const many = await stage(getDatabase(), { reusable: true });
    expect([await use(many.enrolmentId), await use(many.enrolmentId)]).toEqual([true, true]);
    expect(await store.transaction((tx) => tx.agents.revokeEnrolments(many.targetId))).toBe(1);
    expect(await use(many.enrolmentId)).toBe(false);

    const late = await stage(getDatabase(), { livesMs: -1 });
    expect((await store.read.agents.findEnrolment(late.lookupHash))?.expired).toBe(true);
    expect(await use(late.enrolmentId)).toBe(false);
    expect(await store.read.agents.findEnrolment("unknown")).toBeNull();
  });

  test("of two that use one code at the same time, one wins", async () => {
    const { store } = getDatabase();
    const once = await stage(getDatabase());
    const use = () => store.transaction((tx) => tx.agents.useEnrolment(once.enrolmentId));
    expect((await Promise.all([use(), use(), use(), use()])).filter(Boolean)).toHaveLength(1);
  });

  test("the same keys by the same code are the same agent until it is confirmed, and nobody else's", async () => {
    const { store } = getDatabase();
    const first = await stage(getDatabase());
    const other = await stage(getDatabase());
    const add = (agent: Parameters<AgentRepo["add"]>[0]) => store.transaction((tx) => tx.agents.add(agent));
    const id = await add(newAgent(first, "key-a"));
    expect(await add({ ...newAgent(first, "key-a"), challengeHash: "newer" })).toBe(id);
    expect(await store.read.agents.find(id)).toMatchObject({
      state: "pending",
      challengeHash: "newer",
      target: "mini",
      reportedGeneration: null,
    });
    expect((await store.read.agents.findBySignKey({ x: "key-a" }))?.id).toBe(id);
    await expect(add(newAgent(other, "key-a"))).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    await store.transaction((tx) => tx.agents.activate(id));
    await expect(add(newAgent(first, "key-a"))).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
  });

  test("a target has one lasting agent; an ended one stays on record and is not active", async () => {
    const { store } = getDatabase();
    const here = await stage(getDatabase());
    const add = (x: string) => store.transaction((tx) => tx.agents.add(newAgent(here, x)));
    const activate = (id: string) => store.transaction((tx) => tx.agents.activate(id));
    const [one, two] = [await add("lasting-1"), await add("lasting-2")];
    await activate(one);
    await expect(activate(two)).rejects.toThrow();
    expect((await store.read.agents.activeAt([here.targetId])).map(({ id }) => id)).toEqual([one]);
    expect(await store.transaction((tx) => tx.agents.end([one], "revoked"))).toEqual([one]);
    expect(await store.transaction((tx) => tx.agents.end([one], "expired"))).toEqual([]);
    await activate(two);
    expect((await store.read.agents.activeAt([here.targetId])).map(({ id }) => id)).toEqual([two]);
    const environment = (await store.read.agents.find(one))?.environment ?? "";
    expect((await store.read.agents.list({ environment })).map(({ state }) => state)).toEqual([
      "revoked",
      "active",
    ]);
  });

  test("only active short-lived agents that were not seen for long are idle, and end once", async () => {
    const { store, pool } = getDatabase();
    const here = await stage(getDatabase(), { reusable: true });
    const add = async (x: string, shortLived: boolean) =>
      store.transaction(async (tx) => {
        const id = await tx.agents.add({ ...newAgent(here, x), shortLived });
        await tx.agents.activate(id);
        return id;
      });
    const [lasting, idle, busy] = [
      await add("l", false),
      await add("short-idle", true),
      await add("short-busy", true),
    ];
    const pending = await store.transaction((tx) =>
      tx.agents.add({ ...newAgent(here, "short-begun"), shortLived: true }),
    );
    await pool.query("update agent set last_seen_at = now() - interval '2 minutes' where id = any($1)", [
      [lasting, idle],
    ]);
    const end = () => store.transaction((tx) => tx.agents.endIdle(MINUTE_MS, 10));
    expect((await Promise.all([end(), end()])).flat()).toEqual([
      { id: idle, targetId: here.targetId, target: "mini" },
    ]);
    expect(new Set([lasting, busy, pending]).size).toBe(3);
  });

  test("ruling 28: an enrolment is confirmed while its code lives, by the store's clock, and not later", async () => {
    const { store, pool } = getDatabase();
    const begin = async (more: { livesMs?: number; confirmMs?: number }, x: string) => {
      const here = await stage(getDatabase(), more.livesMs === undefined ? {} : { livesMs: more.livesMs });
      const agent = { ...newAgent(here, x), livesMs: more.confirmMs ?? MINUTE_MS };
      return { ...here, id: await store.transaction((tx) => tx.agents.add(agent)) };
    };
    const activate = (id: string) => store.transaction((tx) => tx.agents.activate(id));
    const [intime, lateCode, late, revoked] = [
      await begin({}, "in-time"),
      await begin({ livesMs: -1 }, "late-code"),
      await begin({ confirmMs: -1 }, "late-itself"),
      await begin({}, "revoked-code"),
    ];
    await pool.query("update enrolment set revoked_at = now() where id = $1", [revoked.enrolmentId]);
    const outcomes = [];
    for (const { id } of [intime, lateCode, late, revoked]) outcomes.push(await activate(id));
    expect(outcomes).toEqual([true, false, false, false]);
    expect((await store.read.agents.pendingAt(late.targetId))[0]?.confirmUntil?.getTime()).toBeLessThan(
      Date.now(),
    );
    expect((await store.read.agents.find(intime.id))?.confirmUntil).toBeNull();
    const lapse = () => store.transaction((tx) => tx.agents.endLapsed(10));
    const ended = (await Promise.all([lapse(), lapse()])).flat().map(({ id }) => id);
    expect(ended.sort()).toEqual([lateCode.id, late.id].sort());
    expect((await store.read.agents.find(late.id))?.state).toBe("expired");
    expect((await store.read.agents.find(intime.id))?.state).toBe("active");
  });

  test("ruling 28: what waited for the target's lock judges the code by the clock after the wait", async () => {
    const database = getDatabase();
    const { store } = database;
    const here = await stage(database);
    const id = await store.transaction((tx) => tx.agents.add(newAgent(here, "waited")));
    const holder = await database.openPool().connect();
    await holder.query("begin");
    await holder.query("select from target where id = $1 for no key update", [here.targetId]);
    const waiting = store.transaction(async (tx) => {
      await tx.targets.lock(here.targetId);
      return tx.agents.activate(id);
    });
    await somebodyWaitsForLock(database);
    // Later than the waiting transaction's beginning, and over when it goes on.
    await holder.query("update enrolment set expires_at = clock_timestamp() where id = $1", [
      here.enrolmentId,
    ]);
    await holder.query("commit");
    holder.release();
    expect(await waiting).toBe(false);
  });

  test("ruling 12: nothing is recorded as given to an agent that is not active", async () => {
    const { store } = getDatabase();
    const here = await stage(getDatabase());
    const id = await store.transaction((tx) => tx.agents.add(newAgent(here, "not-yet")));
    const give = () => store.transaction((tx) => tx.agents.recordDeliveries(id, []));
    await expect(give()).rejects.toMatchObject({ code: "AGENT_REVOKED" });
    await store.transaction((tx) => tx.agents.activate(id));
    await give();
    await store.transaction((tx) => tx.agents.end([id], "revoked"));
    await expect(give()).rejects.toMatchObject({ code: "AGENT_REVOKED" });
  });

  test("a request's id is accepted once", async () => {
    const { store } = getDatabase();
    const remember = () =>
      store.transaction((tx) => tx.agents.rememberRequest("jti", new Date(Date.now() + MINUTE_MS)));
    expect([await remember(), await remember()]).toEqual([true, false]);
  });

  test("being seen is written now and then, new facts at once, a report always", async () => {
    const { store } = getDatabase();
    const here = await stage(getDatabase());
    const id = await store.transaction((tx) => tx.agents.add(newAgent(here, "seen")));
    const touch = async (facts: Parameters<AgentRepo["touch"]>[1]) => {
      await store.transaction((tx) => tx.agents.touch(id, facts));
      return store.read.agents.find(id);
    };
    const first = (await touch(null))?.lastSeenAt;
    expect(first).toBeInstanceOf(Date);
    expect((await touch({ hostname: "mini" }))?.lastSeenAt).toEqual(first);
    const renamed = await touch({ hostname: "maxi" });
    expect(renamed?.facts).toEqual({ hostname: "maxi" });
    expect(renamed?.lastSeenAt?.getTime()).toBeGreaterThan(first?.getTime() ?? Number.POSITIVE_INFINITY);
    const report = { epoch: 1, generation: 7, content: { refused: [] } };
    await store.transaction((tx) => tx.agents.recordReport(id, report));
    expect(await store.read.agents.find(id)).toMatchObject({
      reportedEpoch: 1,
      reportedGeneration: 7,
      report: { refused: [] },
    });
  });

  test("what an agent received is kept once per version, by the secret's name", async () => {
    const { store, pool } = getDatabase();
    const here = await stage(getDatabase());
    const id = await store.transaction((tx) => tx.agents.add(newAgent(here, "received")));
    await store.transaction((tx) => tx.agents.activate(id));
    const { rows } = await pool.query<{ id: string }>(
      `insert into secret (environment_id, name) select environment_id, 'TOKEN' from target where id = $1 returning id`,
      [here.targetId],
    );
    const secretId = rows[0]?.id ?? "";
    const receive = (...versions: number[]) =>
      store.transaction((tx) =>
        tx.agents.recordDeliveries(
          id,
          versions.map((version) => ({ secretId, version })),
        ),
      );
    await receive(1);
    await receive(2, 1);
    await receive();
    expect((await store.read.agents.deliveries(id)).map(({ secret, version }) => [secret, version])).toEqual([
      ["TOKEN", 1],
      ["TOKEN", 2],
    ]);
  });

  test("a key of the store is made once; the second of two finds the first's", async () => {
    const { store } = getDatabase();
    expect(await store.read.agents.key("bundle")).toBeNull();
    await store.transaction((tx) => tx.agents.addKey("bundle", { public: { x: "a" }, privateSealed: "1" }));
    await store.transaction((tx) => tx.agents.addKey("bundle", { public: { x: "b" }, privateSealed: "2" }));
    expect(await store.read.agents.key("bundle")).toEqual({ public: { x: "a" }, privateSealed: "1" });
    expect(await store.read.meta.holdsSealedData()).toBe(true);
  });
});
