/**
 * Ruling 30, played: whoever holds one agent's identity (a stolen key, a taken host) says as much as it can, to two
 * servers of one store. It stops nobody, blinds nobody, and leaves nothing behind that grows.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { beforeAll, beforeEach, expect, it } from "vitest";
import { createDatabase } from "../../src/adapters/store/pool.ts";
import { createLevelRepo } from "../../src/adapters/store/repositories/levels.ts";
import { createViewRepo } from "../../src/adapters/store/repositories/views.ts";
import { agentKind } from "../../src/adapters/targets/agent/target.ts";
import { inviteAgent } from "../../src/app/agents/enrolment/manage-agents.ts";
import { watchFindings } from "../../src/app/alerts/watch-findings.ts";
import type { AppContext } from "../../src/app/base/context.ts";
import { type AgentServer, createAgentServer } from "../../src/edges/http/agents/server.ts";
import type { Report, ReportedItem, ReportedUnit } from "../../src/protocol/agent/messages.ts";
import { AGENT_PATHS } from "../../src/protocol/agent/paths.ts";
import { describeOnAStore } from "../support/database.ts";
import { answerOf, createHttpKit, type HttpKit } from "../support/http-kit.ts";
import { createLoopKit, type LoopKit, TESTER } from "../support/loop-kit.ts";
import { ask, enrol, FACTS, type PlayedIdentity, post } from "../support/played-agent.ts";

const EVIL = "<https://evil.example|sign in> \u202e*now* <!channel>";

describeOnAStore("one agent's identity floods its server", (getDatabase) => {
  let kit: LoopKit;
  let context: AppContext;
  let servers: AgentServer[];
  let http: HttpKit;
  let agent: PlayedIdentity;
  /** The same identity at the other server. */
  let elsewhere: PlayedIdentity;
  let own: string;
  let foreign: string;

  beforeAll(() => {
    kit = createLoopKit(getDatabase());
    context = kit.other({ targetKinds: new Map([...kit.context.targetKinds, ["agent", agentKind]]) });
  });
  beforeEach(async () => {
    await kit.reset();
    servers = [];
    const ports: number[] = [];
    for (let index = 0; index < 2; index += 1) {
      const server = createAgentServer({ context, tls: null });
      servers.push(server);
      ports.push(await server.listen("127.0.0.1", 0));
    }
    http = await createHttpKit(context);
    await kit.target("mini");
    const { config } = agentKind.parse({
      agent: {},
      files: [{ path: "/app/env", format: "dotenv" }],
      activate: { systemd: "app.service" },
    });
    await getDatabase().pool.query("update target set kind = 'agent', config = $1", [JSON.stringify(config)]);
    await kit.target("other");
    await kit.secret("TOKEN");
    own = await kit.bind("TOKEN", "mini");
    foreign = await kit.bind("TOKEN", "other");
    await getDatabase().pool.query("update binding set placement = '/app/env' where id = $1", [own]);
    const { code } = await inviteAgent(context, TESTER, {
      environment: "production",
      target: "mini",
      reusable: false,
      livesMs: 60_000,
      listener: { url: `http://127.0.0.1:${ports[0]}`, tlsKeyDigest: null },
    });
    agent = await enrol(code);
    elsewhere = { ...agent, url: `http://127.0.0.1:${ports[1]}` };
    return async () => {
      await Promise.all(servers.map((server) => server.close()));
      await http.server.close();
    };
  });
  const item = async (
    bindingId: string,
    key = "TOKEN",
    slot = "primary" as const,
  ): Promise<ReportedItem> => ({
    bindingId,
    secretId: (await kit.rows<{ id: string }>("select id from secret"))[0]?.id ?? "",
    slot,
    placement: "/app/env",
    key,
    version: 1,
    action: "unchanged",
    found: { kind: "version", version: 1 },
  });
  const unit = (key: string, digest = "digest"): ReportedUnit => ({
    key,
    state: "blocked",
    digest,
    isOwnChild: true,
    incarnation: null,
    error: { code: "ACTIVATION_FAILED", message: EVIL },
  });
  const report = async (said: Partial<Report> = {}): Promise<Report> => {
    const [row] = await kit.rows<{ generation: number }>("select generation from target where name = 'mini'");
    return {
      v: 1,
      epoch: 1,
      generation: Number(row?.generation ?? 0),
      digest: "digest",
      look: null,
      push: null,
      seen: [],
      units: [],
      refused: [],
      incidents: [],
      facts: FACTS,
      ...said,
    };
  };
  const tell = (content: unknown, who = agent) => post(who, AGENT_PATHS.report, content);
  const count = async (from: string) =>
    Number((await kit.rows<{ count: string }>(`select count(*) as count from ${from}`))[0]?.count);
  /** The record stays from test to test. */
  const entries = () =>
    kit.rows<{ details: { refused: string[] }; size: number }>(
      `select details, length(details::text) as size from audit_entry
       where action = 'agent.refused' and details ->> 'agent' = '${agent.agentId}'`,
    );
  const diagnosis = async () =>
    answerOf("doctor", (await http.ask("/api/v1/doctor", { method: "POST", body: { live: false } })).json());
  const status = async () => answerOf("getStatus", (await http.ask("/api/v1/status")).json());

  it("ruling 30: 12 reports of 3,000 units at once leave nothing, and status answers meanwhile", async () => {
    const units = Array.from({ length: 3_000 }, (_, index) => unit(`systemd:u${index}.service`));
    const flood = await report({ units });
    const said = Promise.all(
      Array.from({ length: 12 }, (_, index) => tell(flood, index % 2 === 0 ? agent : elsewhere)),
    );
    const seen = await status();
    const answers = await said;
    expect(seen.secrets.map(({ name }) => name)).toEqual(["TOKEN"]);
    expect(answers.every(({ status: code }) => code === 422)).toBe(true);
    expect(await count("unit")).toBe(0);
    expect(await count("activation")).toBe(0);

    // As many as the protocol takes, in ever new words: what the target is stays, whatever is said.
    for (let round = 0; round < 22; round += 1) {
      const keys = ["systemd:app.service", "child", `systemd:u${round}.service`, EVIL];
      const answer = await tell(await report({ units: keys.map((key) => unit(key, `digest ${round}`)) }));
      expect(answer.status).toBe(204);
    }
    expect(await kit.rows("select name from unit order by name")).toEqual([
      { name: "app.service on mini" },
      { name: "the process on mini" },
    ]);
    expect(await count("activation")).toBe(40);
    const named = (await entries()).map(({ details }) => details.refused);
    expect(named).toEqual([["reported 2 units that are not its target's"]]);
    expect(JSON.stringify(await status())).not.toContain("\u202e");
  });

  it("ruling 30: one report at a time is taken, on all servers together, and more than its share is not", async () => {
    // Holds the first report where it writes.
    const line = await getDatabase().pool.connect();
    const held = await report({ seen: [await item(own)] });
    try {
      await line.query("begin");
      await line.query("select from target where name = 'mini' for update");
      const first = tell(held);
      await expect
        .poll(() => count("agent where reporting is not null"), { timeout: 20_000, interval: 10 })
        .toBe(1);
      for (const who of [agent, elsewhere]) {
        const second = await tell(held, who);
        expect([second.status, second.headers["retry-after"]]).toEqual([429, "1"]);
        expect(second.json()).toMatchObject({ code: "TOO_MANY_REQUESTS" });
      }
      await line.query("commit");
      expect((await first).status).toBe(204);
    } finally {
      line.release();
    }
    expect((await tell(held, elsewhere)).status).toBe(204);
    expect(await count("agent where reporting is not null")).toBe(0);

    const ids = await count("agent_request");
    const narrow = createAgentServer({ context, tls: null, reportShare: { burst: 3, everyMs: 60_000 } });
    servers.push(narrow);
    const there = { ...agent, url: `http://127.0.0.1:${await narrow.listen("127.0.0.1", 0)}` };
    const asked: number[] = [];
    for (let tried = 0; tried < 5; tried += 1) asked.push((await tell({}, there)).status);
    expect(asked).toEqual([422, 422, 422, 429, 429]);
    // What is not taken leaves nothing.
    expect((await count("agent_request")) - ids).toBe(3);
    // Another kind of request has its own share.
    expect(
      (
        await post(there, AGENT_PATHS.bundle, {
          v: 1,
          nonce: randomBytes(16).toString("base64url"),
          have: null,
          facts: FACTS,
        })
      ).status,
    ).toBe(200);
  });

  it("ruling 30: 4,000 refusals are not taken, and 64 long ones make no long alert, record or message", async () => {
    const refusal = (index: number) => ({
      what: `${EVIL} ${index} ${"w".repeat(140)}`,
      reason: "r".repeat(500),
      add: "a".repeat(1_000),
    });
    const many = Array.from({ length: 4_000 }, (_, index) => ({ what: `${index}`, reason: "r", add: "" }));
    expect((await tell(await report({ refused: many }))).status).toBe(422);
    for (let round = 0; round < 22; round += 1) {
      const refused = Array.from({ length: 64 }, (_, index) => refusal(round * 64 + index));
      expect((await tell(await report({ refused }))).status).toBe(204);
    }
    await watchFindings(context);
    const alerts = await kit.rows<{ message: string; remedy: string }>(
      "select message, remedy from alert where kind = 'agent-refused'",
    );
    expect(alerts).toHaveLength(1);
    expect(alerts[0]?.message.length).toBeLessThanOrEqual(2_000);
    expect(alerts[0]?.message).not.toContain("\u202e");
    const told = await entries();
    expect(told).toHaveLength(20);
    for (const { size } of told) expect(size).toBeLessThan(3_000);
    const [kept] = await kit.rows<{ size: number }>("select length(report::text) as size from agent");
    expect(kept?.size).toBeLessThan(150_000);
    const doctor = await diagnosis();
    for (const { what, cause } of doctor.findings)
      expect(what.length + cause.length).toBeLessThanOrEqual(4_000);
  });

  it("ruling 30: an agent speaks of its own target's keys alone, and what it says replaces what it said", async () => {
    const mine = await item(own);
    const [push] = await kit.rows<{ id: string }>(
      `insert into push (target_id, epoch, generation, attempt, lease_token, actor, digest, outcome)
       select id, 1, 0, 1, 1, '{}', 'd', 'succeeded' from target where name = 'other' returning id`,
    );
    const strangers = [
      await item(foreign),
      { ...(await item(foreign)), placement: "" },
      { ...mine, key: "OTHER" },
      { ...mine, placement: "" },
      { ...mine, secretId: randomUUID() },
      await item(randomUUID()),
      { ...mine, version: null, action: "unset" as const, bindingId: foreign },
    ];
    for (let round = 0; round < 3; round += 1) {
      const told = await report({
        seen: [mine, ...strangers, mine],
        push: { pushId: push?.id ?? "", outcome: "applied", before: strangers, error: null },
        answers: [{ bindingId: foreign, acceptance: [], usage: null }],
        units: [{ ...unit("child"), state: "succeeded", error: null }],
      });
      expect((await tell(told)).status).toBe(204);
    }
    expect(await kit.rows("select binding_id as id, found, version from observation")).toEqual([
      { id: own, found: "version", version: 1 },
    ]);
    expect(await kit.rows("select evidence from push where outcome = 'succeeded' and actor = '{}'")).toEqual([
      { evidence: null },
    ]);
    const [kept] = await kit.rows<{ report: Report }>("select report from agent");
    expect(kept?.report.seen).toEqual([mine]);
    expect([kept?.report.push, kept?.report.answers]).toEqual([null, []]);
    expect(await entries()).toHaveLength(1);
  });

  it("ruling 30: a store that was flooded before comes back with `migrate`, and no view reads its history", async () => {
    const { pool } = getDatabase();
    // What releases before kept of such a flood.
    await pool.query(
      `with target as (select id from target where name = 'mini'),
       made as (insert into unit (key, name, kind, config, follow_group)
         select 'agent:' || target.id || ':systemd:' || case when n = 0 then 'app' else 'u' || n end || '.service',
           'u' || n, 'agent', '{}', 'g'
         from target, generate_series(0, 499) n returning id),
       linked as (insert into target_unit (target_id, unit_id) select target.id, made.id from target, made)
       insert into activation (unit_id, target_id, state, digest, created_at, ended_at, error_message)
       select made.id, target.id, 'blocked', 'd' || n, now() - n * interval '1 minute',
         now() - n * interval '1 minute', repeat('e', 3000)
       from made, target, generate_series(1, 40) n`,
    );
    await pool.query(
      `insert into observation (binding_id, slot, found, reason)
       select $1, 'primary', 'unreadable', repeat('r', 900) from generate_series(1, 5000)`,
      [own],
    );
    await pool.query(
      `update agent set report = jsonb_build_object('digest', 'd', 'push', null, 'incidents', '[]'::jsonb, 'units', '[]'::jsonb,
         'seen', '[]'::jsonb, 'refused', (select jsonb_agg(jsonb_build_object('what', repeat('w', 200),
           'reason', 'r', 'add', '')) from generate_series(1, 4000)))`,
    );
    await pool.query(
      `insert into alert (kind, subject_id, level, message, remedy)
       values ('agent-refused', gen_random_uuid(), 'wrong', repeat('m', 835011), '')`,
    );
    const text = readFileSync(
      new URL("../../migrations/000011_bounded_reports.sql", import.meta.url),
      "utf8",
    );
    const cleaning = text.slice(text.indexOf("-- Units of agents"));
    await pool.query(`begin; ${cleaning} commit`);
    expect(await count("unit")).toBe(1);
    expect(await count("activation")).toBe(20);
    expect(await count("observation")).toBe(1);
    expect(await count("alert where length(message) > 2000")).toBe(0);
    const [kept] = await kit.rows<{ size: number }>("select length(report::text) as size from agent");
    expect(kept?.size).toBeLessThan(500);
    expect((await diagnosis()).secrets.map(({ name }) => name)).toEqual(["TOKEN"]);

    // A unit that workers restart keeps its history: what reads the newest of it reads no more than that.
    await pool.query("update unit set kind = 'memory'");
    await pool.query(
      `insert into activation (unit_id, target_id, state, digest, created_at, ended_at)
       select u.id, t.id, 'succeeded', 'd', now() - n * interval '1 second', now() - n * interval '1 second'
       from unit u, target t, generate_series(1, 5000) n where t.name = 'mini'`,
    );
    await pool.query(
      `insert into observation (binding_id, slot, found)
       select $1, 'primary', 'absent' from generate_series(1, 5000)`,
      [own],
    );
    await pool.query("update binding set lacks = true, looked_at = now()");
    // What never ends is in use.
    await pool.query(
      `insert into secret (environment_id, name) select id, 'LASTING_' || n from environment, generate_series(1, 300) n`,
    );
    await pool.query(
      `insert into secret_version (secret_id, version, state, value_sealed, fingerprint, created_by)
       select id, 1, 'current', 'sealed', 'print', 'tester' from secret where name like 'LASTING%'`,
    );
    // What has ended leaves its row.
    await pool.query(
      `insert into secret_version (secret_id, version, state, value_sealed, fingerprint, created_by, expires_at)
       select s.id, n, 'retired', 'sealed', 'print', 'tester', now() from secret s, generate_series(2, 5001) n
       where s.name = 'TOKEN'`,
    );
    await pool.query(
      `insert into api_token (id, name, secret_hash, scopes, created_by, expires_at, revoked_at)
       select 'ended-' || n, 'ended', 'hash', '{viewer}', 'tester', now(), now() from generate_series(1, 5000) n`,
    );
    await pool.query(
      `insert into alert (kind, subject_id, level, message, remedy, resolved_at)
       select 'push-gave-up', gen_random_uuid(), 'wrong', 'm', 'r', now() from generate_series(1, 5000)`,
    );
    await pool.query("analyze");
    const rows = await rowsRead((db) => createViewRepo(db).bindings({}));
    expect(rows.get("activation")).toBeLessThan(50);
    expect(rows.get("observation")).toBeLessThan(50);
    const counted = await rowsRead((db) => createLevelRepo(db).read());
    for (const table of ["activation", "secret_version", "api_token", "alert", "rollout"])
      expect(counted.get(table) ?? 0, table).toBeLessThan(50);
  });

  it("who scrapes as often as they can makes one query of it, and everybody gets the same numbers", async () => {
    let reads = 0;
    const levels = {
      read: () => {
        reads += 1;
        return context.store.read.levels.read();
      },
    };
    const store = Object.create(context.store, { read: { value: { ...context.store.read, levels } } });
    const door = await createHttpKit({ ...context, store });
    try {
      const answers = await Promise.all(Array.from({ length: 200 }, () => door.ask("/metrics")));
      expect(answers.every(({ status: code }) => code === 200)).toBe(true);
      expect(reads).toBe(1);
    } finally {
      await door.server.close();
    }
  });

  it("ruling 30: behind a proxy each source is limited for itself, and only a named proxy says which it is", async () => {
    const settings = { listenAddress: "127.0.0.1", allowedHosts: [] };
    const named = await createHttpKit(context, { settings: { ...settings, trustedProxies: ["127.0.0.1"] } });
    const good = await named.token("viewer");
    const from = (source: string, token: string) => ({ token, headers: { "x-forwarded-for": source } });
    const codes = async (door: HttpKit, source: string, token: string, times: number) => {
      const seen = new Set<number>();
      for (let tried = 0; tried < times; tried += 1)
        seen.add((await door.ask("/api/v1/status", from(source, token))).status);
      return [...seen];
    };
    const wrong = "lsk_wrong_canary-0451";
    expect(await codes(named, "203.0.113.1", good, 1)).toEqual([200]);
    expect(await codes(named, "203.0.113.1", wrong, 31)).toEqual([401, 429]);
    // Whoever wrote what stands before the proxy's own word changes nothing by it; another source is let in.
    expect(await codes(named, "198.51.100.9, 203.0.113.1", wrong, 1)).toEqual([429]);
    expect(await codes(named, "203.0.113.2", wrong, 1)).toEqual([401]);
    // A token that was good before is, also beside somebody else's mistake.
    expect(await codes(named, "203.0.113.1", good, 1)).toEqual([200]);
    await named.server.close();

    // Without a named proxy nobody is believed, so ever new words do not hide a source.
    const server = createAgentServer({ context, tls: null });
    servers.push(server);
    const port = await server.listen("127.0.0.1", 0);
    const answers: number[] = [];
    for (let tried = 0; tried < 11; tried += 1) {
      const answer = await ask(
        { url: `http://127.0.0.1:${port}`, pin: null },
        {
          method: "POST",
          path: AGENT_PATHS.enrol,
          headers: { "content-type": "application/json", "x-forwarded-for": `203.0.113.${tried}` },
          body: "{}",
        },
      );
      answers.push(answer.status);
    }
    expect(answers.slice(0, 10).every((code) => code === 422)).toBe(true);
    expect(answers.at(-1)).toBe(429);
  });

  /** Of each table, by Postgres's own count of the very statements that the view sends. */
  async function rowsRead(
    view: (db: ReturnType<typeof createDatabase>) => Promise<unknown>,
  ): Promise<ReadonlyMap<string, number>> {
    const { pool } = getDatabase();
    const sent: { readonly sql: string; readonly parameters: readonly unknown[] }[] = [];
    const listening = createDatabase(pool).withPlugin({
      transformQuery: ({ node }) => node,
      transformResult: async ({ result }) => result,
    });
    const executor = listening.getExecutor();
    const original = executor.executeQuery.bind(executor);
    executor.executeQuery = (query, ...rest) => {
      sent.push({ sql: query.sql, parameters: query.parameters });
      return original(query, ...rest);
    };
    await view(listening);
    expect(sent.length).toBe(1);
    const read = new Map<string, number>();
    for (const { sql, parameters } of sent) {
      const { rows } = await pool.query<{ "QUERY PLAN": [{ Plan: PlanNode }] }>(
        `explain (analyze, format json) ${sql}`,
        [...parameters],
      );
      const [plan] = rows[0]?.["QUERY PLAN"] ?? [];
      if (plan !== undefined) addRead(plan.Plan, read);
    }
    return read;
  }
});

interface PlanNode {
  readonly "Relation Name"?: string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Rows Removed by Filter"?: number;
  readonly Plans?: readonly PlanNode[];
}

function addRead(node: PlanNode, read: Map<string, number>): void {
  const table = node["Relation Name"];
  if (table !== undefined) {
    const rows = (node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0)) * node["Actual Loops"];
    read.set(table, (read.get(table) ?? 0) + rows);
  }
  for (const inner of node.Plans ?? []) addRead(inner, read);
}
