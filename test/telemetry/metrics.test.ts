/** What scrapers are given: its form, its numbers, how much of it there is, and how rarely the store is asked for it. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createTelemetry } from "../../src/adapters/telemetry/telemetry.ts";
import type { AppContext } from "../../src/app/base/context.ts";
import { createReadLevels } from "../../src/app/status/read-levels.ts";
import { LockstepError } from "../../src/core/errors.ts";
import type { Telemetry } from "../../src/core/ports/telemetry.ts";
import type { StoreLevels } from "../../src/core/store/levels.ts";
import { useDatabase } from "../support/database.ts";
import { createLoopKit, type LoopKit } from "../support/loop-kit.ts";
import { scriptedPlace } from "../support/scripted-target.ts";

const getDatabase = useDatabase();
const pool = () => ({ total: 3, idle: 1, waiting: 2, most: 10 });
let kit: LoopKit;
let telemetry: Telemetry;

beforeAll(() => {
  kit = createLoopKit(getDatabase());
});
beforeEach(() => {
  telemetry = createTelemetry({ release: "1.2.3", pool });
});

const read = (): Promise<StoreLevels> => kit.context.store.read.levels.read();

interface Series {
  readonly name: string;
  readonly labels: string;
  readonly value: number;
}

function seriesOf(text: string): readonly Series[] {
  return text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const [, name = "", labels = "", value = ""] = /^([a-z0-9_]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      expect(name, line).not.toBe("");
      return { name, labels, value: Number(value) };
    });
}

describe("the form", () => {
  test("every metric has its help, a name after the rules, and no value twice", async () => {
    telemetry.pushEnded("railway", "succeeded");
    await telemetry.during("push", "railway", async () => {});
    const { text, contentType } = await telemetry.exposition(await read());
    expect(contentType).toBe("text/plain; version=0.0.4; charset=utf-8");
    const types = new Map(
      Array.from(text.matchAll(/^# TYPE (\S+) (\S+)$/gm), ([, name = "", type = ""]) => [name, type]),
    );
    for (const [name, type] of types) {
      expect(text).toMatch(new RegExp(`^# HELP ${name} [A-Z0-9].+`, "m"));
      expect(name.endsWith("_total"), name).toBe(type === "counter");
      if (!/^lockstep_/.test(name)) {
        expect(name).toMatch(/^(?:process|nodejs)_/);
        continue;
      }
      expect(name).not.toMatch(/_(?:ms|millis|milliseconds|minutes|kb|mb)(?:_|$)/);
      if (type === "histogram") expect(name).toMatch(/_seconds$/);
    }
    const all = seriesOf(text).map(({ name, labels }) => `${name}{${labels}}`);
    expect(new Set(all).size).toBe(all.length);
    // The event loop's lag is none until it was measured.
    for (const { name, value } of seriesOf(text))
      if (!name.startsWith("nodejs_eventloop_")) expect(value, name).not.toBeNaN();
  });

  test("what was there before is there under its name", async () => {
    telemetry.requestAnswered({ method: "GET", route: "/api/v1/status", status: 200, seconds: 0.01 });
    const { text } = await telemetry.exposition(await read());
    for (const name of [
      ...["targets", "targets_owed", "targets_gave_up", "activations_open", "activations_blocked"],
      ...["rollouts_running", "rollouts_stalled"],
    ])
      expect(text).toMatch(new RegExp(`^lockstep_${name} 0$`, "m"));
    for (const name of ["process_resident_memory_bytes", "process_uptime_seconds"])
      expect(text).toMatch(new RegExp(`^${name} \\d+$`, "m"));
    expect(text).toContain(
      'lockstep_http_requests_total{method="GET",route="/api/v1/status",status="200"} 1',
    );
  });
});

describe("one process", () => {
  test("counts how work ended, and another process's work is nobody's failure", async () => {
    const fails = (error: Error) =>
      telemetry.during("look", "ssh", () => Promise.reject(error)).catch(() => undefined);
    await fails(new LockstepError("TARGET_UNREACHABLE", "Away."));
    await fails(new LockstepError("LEASE_LOST", "Lost."));
    expect(await telemetry.during("look", "ssh", async () => "seen")).toBe("seen");
    telemetry.activationEnded("railway", "succeeded", 42);
    telemetry.jobWaited("reconcile", -0.5);
    const { text } = await telemetry.exposition(null);
    for (const outcome of ["done", "failed", "left"])
      expect(text).toContain(`lockstep_look_duration_seconds_count{kind="ssh",outcome="${outcome}"} 1`);
    expect(text).toContain('lockstep_activation_duration_seconds_sum{kind="railway",outcome="succeeded"} 42');
    expect(text).toContain('lockstep_job_wait_seconds_sum{job="reconcile"} 0');
    expect(text).toContain('lockstep_store_connections{state="in_use"} 2');
    expect(text).toContain("lockstep_store_connections_waited_for 2");
  });

  test("says nothing of the store where it is not asked, and that it is away where it is", async () => {
    const own = await telemetry.exposition(null);
    expect(own.text).not.toMatch(/lockstep_targets|lockstep_store_up/);
    const away = await telemetry.exposition("unknown");
    expect(away.text).toMatch(/^lockstep_store_up 0$/m);
    expect(away.text).not.toContain("lockstep_targets");
  });

  test("takes no text for a label that a name of ours would not be", async () => {
    telemetry.pushEnded('x"} 1\nforged 1', "failed");
    telemetry.pushEnded("y".repeat(121), "failed");
    telemetry.pushEnded("a value with spaces", "failed");
    const { text } = await telemetry.exposition(null);
    expect(seriesOf(text).filter(({ name }) => name === "lockstep_pushes_total")).toEqual([
      { name: "lockstep_pushes_total", labels: 'kind="other",outcome="failed"', value: 3 },
    ]);
  });

  test("holds its bounds whatever is passed", async () => {
    for (let n = 0; n < 1_000; n += 1) {
      telemetry.pushEnded(`kind-${n}`, "failed");
      telemetry.requestAnswered({ method: `M${n}`, route: `/r/${n}`, status: 404, seconds: 0 });
    }
    const all = seriesOf((await telemetry.exposition(null)).text);
    const of = (name: string) => all.filter((one) => one.name === name);
    expect(of("lockstep_pushes_total")).toHaveLength(33);
    expect(of("lockstep_http_requests_total")).toHaveLength(201);
  });
});

describe("what cannot be counted", () => {
  test("is dropped and says so, and the work goes on", async () => {
    telemetry.activationEnded("railway", "succeeded", Number.NaN);
    telemetry.jobWaited("reconcile", Number.NaN);
    telemetry.requestAnswered({ method: "GET", route: "/", status: 200, seconds: Number.NaN });
    const unreadable = Object.create(null, {
      length: {
        get: () => {
          throw new Error("no length");
        },
      },
    }) as string;
    telemetry.pushEnded(unreadable, "succeeded");
    expect(await telemetry.during("push", unreadable, async () => "done")).toBe("done");
    const error = new LockstepError("TARGET_UNREACHABLE", "Away.");
    await expect(telemetry.during("push", unreadable, () => Promise.reject(error))).rejects.toBe(error);
    const { text } = await telemetry.exposition(null);
    expect(text).toContain("lockstep_metrics_dropped_total 6");
  });
});

describe("the store", () => {
  afterAll(() => kit.reset());

  test("says what is owed, since when, and what waits, and has the same series when it is large", async () => {
    const { rows } = kit;
    await seed(rows, 3);
    const small = await telemetry.exposition(await read());
    const valueIn = (text: string, name: string, labels = "") =>
      seriesOf(text).find((one) => one.name === name && one.labels === labels)?.value;
    expect(valueIn(small.text, "lockstep_targets")).toBe(3);
    expect(valueIn(small.text, "lockstep_targets_owed")).toBe(3);
    expect(valueIn(small.text, "lockstep_targets_owed_by_age", 'kind="memory",age="up_to_1h"')).toBe(3);
    expect(valueIn(small.text, "lockstep_targets_owed_longest_seconds")).toBeGreaterThan(1_199);
    expect(valueIn(small.text, "lockstep_jobs_due", 'job="reconcile"')).toBe(3);
    expect(valueIn(small.text, "lockstep_jobs_due_longest_seconds")).toBeGreaterThan(1_199);
    expect(valueIn(small.text, "lockstep_targets_looked_at_by_age", 'kind="memory",age="never"')).toBe(3);
    expect(valueIn(small.text, "lockstep_tokens_by_time_left", 'of="issued",left="up_to_1h"')).toBe(3);
    expect(valueIn(small.text, "lockstep_token_first_end_seconds", 'of="issued"')).toBeLessThanOrEqual(1_800);
    expect(
      valueIn(small.text, "lockstep_rollouts_by_phase", 'phase="stage",state="running",age="up_to_1m"'),
    ).toBe(3);
    expect(valueIn(small.text, "lockstep_alerts_open_by_kind", 'kind="push-gave-up",level="wrong"')).toBe(3);

    await seed(rows, 500);
    const large = await telemetry.exposition(await read());
    expect(valueIn(large.text, "lockstep_targets")).toBe(503);
    // What Node tells of itself changes with what it has done: garbage is collected when it likes.
    const names = ({ text }: { text: string }) =>
      seriesOf(text)
        .filter(({ name }) => !name.startsWith("nodejs_gc_"))
        .map(({ name, labels }) => `${name}{${labels}}`);
    expect(names(large).sort()).toEqual(names(small).sort());
    // Of a process that has done nothing yet: its own, and a line for each state that something is in.
    expect(names(large).length).toBeLessThan(150);
    expect(large.text).not.toMatch(/SECRET_|place-/);
  });

  test("forgets since when something was owed once it is not, and not before", async () => {
    await kit.rows("update target set settled_generation = generation where name = 'place-3-1'");
    await kit.rows("update target set generation = generation + 1 where name = 'place-3-2'");
    const since = await kit.rows(
      "select name, extract(epoch from now() - owed_since)::int as seconds from target where name in ('place-3-1', 'place-3-2') order by name",
    );
    expect(since).toEqual([
      { name: "place-3-1", seconds: null },
      { name: "place-3-2", seconds: expect.closeTo(1_200, -2) },
    ]);
  });
});

describe("use cases", () => {
  test("say how pushes and restarts ended, and nothing when there was nothing to do", async () => {
    await kit.reset();
    const context = kit.other({ telemetry });
    const [north, south] = [await kit.target("north"), await kit.target("south")];
    await kit.secret("AUTH");
    for (const target of ["north", "south"]) await kit.bind("AUTH", target);
    const error = new LockstepError("TARGET_CREDENTIAL_REJECTED", "No.");
    scriptedPlace(south).nextWrites.push({ kind: "refused", error });
    await kit.set("AUTH", "canary-of-metrics", context);
    await kit.drain(context);
    await kit.drain(context);
    const { text } = await telemetry.exposition(await read());
    expect(scriptedPlace(north).values.get("AUTH")).toBe("canary-of-metrics");
    expect(text).toContain('lockstep_pushes_total{kind="memory",outcome="succeeded"} 1');
    expect(text).toContain('lockstep_pushes_total{kind="memory",outcome="failed"} 1');
    expect(text).toContain('lockstep_push_duration_seconds_count{kind="memory",outcome="done"} 2');
    expect(text).toContain('lockstep_activations_total{kind="memory",outcome="succeeded"} 1');
    expect(text).toMatch(/^lockstep_targets_gave_up 1$/m);
    // Law 8, and no name either.
    expect(text).not.toMatch(/canary|AUTH|north|south/);
  });
});

describe("asking for the levels", () => {
  const EMPTY = {} as StoreLevels;
  const reading = (answers: () => Promise<StoreLevels>, nowMs: () => number, patienceMs = 1_000) => {
    const asked = { times: 0 };
    const levels = {
      read: () => {
        asked.times += 1;
        return answers();
      },
    };
    const context = { store: { read: { levels } }, log: kit.context.log } as unknown as AppContext;
    return { asked, read: createReadLevels(context, { nowMs, patienceMs }) };
  };

  test("two scrapes at once make one query, and the next ones none for a while", async () => {
    let now = 0;
    let answer = (_: StoreLevels): void => {};
    const { asked, read: ask } = reading(
      () => new Promise((resolve) => (answer = resolve)),
      () => now,
    );
    const both = Promise.all([ask(), ask()]);
    answer(EMPTY);
    expect(await both).toEqual([EMPTY, EMPTY]);
    now = 4_999;
    await ask();
    expect(asked.times).toBe(1);
    now = 5_001;
    const third = ask();
    answer(EMPTY);
    await third;
    expect(asked.times).toBe(2);
  });

  test("a store that is slow is left alone for nine times as long, and for a minute at most", async () => {
    let now = 0;
    let tookMs = 2_000;
    const { asked, read: ask } = reading(
      async () => {
        now += tookMs;
        return EMPTY;
      },
      () => now,
    );
    const askedAt = async (atMs: number) => {
      now = atMs;
      await ask();
      return asked.times;
    };
    expect(await askedAt(0)).toBe(1);
    expect(await askedAt(2_000 + 17_999)).toBe(1);
    tookMs = 30_000;
    expect(await askedAt(2_000 + 18_000)).toBe(2);
    expect(await askedAt(50_000 + 59_999)).toBe(2);
    expect(await askedAt(50_000 + 60_000)).toBe(3);
  });

  test("a store that is silent is asked once, and one that fails is not asked at once again", async () => {
    const silent = reading(
      () => new Promise(() => {}),
      () => 0,
      1,
    );
    expect([await silent.read(), await silent.read()]).toEqual(["unknown", "unknown"]);
    expect(silent.asked.times).toBe(1);
    const failing = reading(
      () => Promise.reject(new LockstepError("STORE_UNAVAILABLE", "Away.")),
      () => 0,
    );
    expect([await failing.read(), await failing.read()]).toEqual(["unknown", "unknown"]);
    expect(failing.asked.times).toBe(1);
  });
});

/** As many of each thing, in the same states. */
async function seed(rows: LoopKit["rows"], count: number): Promise<void> {
  const statements = [
    "insert into environment (name) values ('production') on conflict do nothing",
    `insert into target (environment_id, name, kind, config, destination, generation, next_action_at)
     select e.id, 'place-${count}-' || n, 'memory', '{}', 'memory:' || n, 1, now() - interval '20 minutes'
     from environment e, generate_series(1, ${count}) n`,
    "update target set owed_since = now() - interval '20 minutes'",
    `insert into secret (environment_id, name)
     select e.id, 'SECRET_${count}_' || n from environment e, generate_series(1, ${count}) n`,
    `insert into secret_version (secret_id, version, state, value_sealed, fingerprint, created_by, expires_at)
     select id, 1, 'current', 'sealed', 'print', 'tester', now() + interval '30 minutes' from secret
     on conflict do nothing`,
    `insert into rollout (secret_id, to_version, strategy, phase, state, engine_version, actor, next_action_at)
     select id, 1, 'overlap', 'stage', 'running', 1, '{}', now() - interval '5 minutes' from secret
     where name like 'SECRET\\_${count}\\_%'`,
    `insert into unit (key, name, kind, config, follow_group)
     select 'unit:${count}:' || n, 'unit', 'memory', '{}', 'group' from generate_series(1, ${count}) n`,
    `insert into activation (unit_id, target_id, state, digest, next_action_at)
     select u.id, t.id, 'owed', 'd', now() - interval '5 minutes'
     from unit u cross join lateral (select id from target limit 1) t where u.key like 'unit:${count}:%'`,
    `insert into alert (kind, subject_id, level, message, remedy)
     select 'push-gave-up', gen_random_uuid(), 'wrong', 'm', 'r' from generate_series(1, ${count})`,
  ];
  for (const statement of statements) await rows(statement);
}
