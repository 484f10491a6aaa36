/** `lockstep rotate` against a real server, with the loop driven inline. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { PROGRESS } from "../support/cli-kit.ts";
import { useCliServer } from "../support/cli-server.ts";
import { type ConfigKit, createConfigKit } from "../support/config-kit.ts";
import { useDatabase } from "../support/database.ts";

const getDatabase = useDatabase();
let kit: ConfigKit;
const server = useCliServer(() => {
  kit = createConfigKit(getDatabase(), "railway");
  return kit.context;
});
const { cli, directory, env } = server;

beforeEach(async () => {
  await kit.loop.reset();
  for (const place of [kit.place("api"), kit.place("web")]) {
    place.values.clear();
    place.order = null;
  }
  const config = kit.config({
    secrets: {
      API_KEY: [
        { target: "api", role: "verifier" },
        { target: "web", role: "caller" },
      ],
    },
    targets: { api: {}, web: {} },
  });
  const file = join(directory, "lockstep.yaml");
  await writeFile(file, JSON.stringify(config));
  await cli(`apply --yes -f ${file}`);
  await cli("secret set API_KEY", { stdin: "canary-1" });
  await kit.loop.drain(kit.context);
  await kit.loop.hurry();
  await kit.loop.drain(kit.context);
});

/** Lets the loop work until the command has ended. */
async function whileWorking<T>(command: Promise<T>): Promise<T> {
  let ended = false;
  const watched = command.finally(() => {
    ended = true;
  });
  while (!ended) {
    await kit.loop.hurry();
    await kit.loop.drain(kit.context);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return watched;
}

test("--wait --json ends with the promised document, without progress, and no value anywhere", async () => {
  const ran = await whileWorking(cli("rotate API_KEY --wait --json"));
  expect(ran.exitCode).toBe(0);
  const document = ran.json() as object;
  expect(Object.keys(document)).toEqual(["rollout", "secret", "from", "to", "state", "bindings"]);
  expect(document).toMatchObject({
    secret: "API_KEY",
    from: 1,
    to: 2,
    state: "done",
    bindings: [
      { target: "api", version: 2, state: "in-sync" },
      { target: "web", version: 2, state: "in-sync" },
    ],
  });
  expect(ran.stderr.replaceAll(PROGRESS, "")).toBe("");
  expect(ran.stdout + ran.stderr).not.toContain(kit.place("api").values.get("API_KEY"));
  expect(kit.place("api").values.get("API_KEY")).toBe(kit.place("web").values.get("API_KEY"));
});

test("--wait tells each step once where no terminal redraws it", async () => {
  const ran = await whileWorking(cli("rotate API_KEY --wait"));
  expect(ran.exitCode).toBe(0);
  const told = ran.stderr.trim().split("\n");
  expect(told[0]).toMatch(/^API_KEY v1 → v2: /);
  expect(told).toEqual([...new Set(told)]);
  expect(told.some((line) => / api +v2 /.test(line))).toBe(true);
});

test("--wait redraws its lines on a terminal, and takes them away at the end", async () => {
  const ran = await whileWorking(cli("rotate API_KEY --wait", { types: "" }));
  expect(ran.stderr).toContain("\u001b[3A");
  expect(ran.stderr.endsWith("\u001b[3A\u001b[0J")).toBe(true);
});

test("without --wait answers at once, and says how to look", async () => {
  const ran = await cli("rotate API_KEY");
  expect(ran.exitCode).toBe(0);
  expect(ran.stdout).toContain("To check: lockstep rollout show ");
});

test("--dry-run names what it would touch, and changes nothing", async () => {
  const ran = await cli("rotate API_KEY --dry-run --json");
  expect(ran.json()).toMatchObject({ rollout: null, from: 1, to: 2, state: "planned", bindings: [{}, {}] });
  expect((await cli("rollout list --open --json")).json()).toEqual({ rollouts: [] });
});

test("copies that it does not move are named beforehand, the one that wins first", async () => {
  const copy = { slot: "primary", line: 3, key: "API_KEY", version: 1, open: false, alone: true } as const;
  const [row] = await kit.loop.rows<{ binding: string; target: string }>(
    "select b.id as binding, t.id as target from binding b join target t on t.id = b.target_id where t.name = 'web'",
  );
  const bindingId = row?.binding ?? "";
  await kit.context.store.transaction((tx) =>
    tx.checks.recordCopies(row?.target ?? "", {
      copies: [
        { ...copy, bindingId, file: "/srv/old.env", kind: "file", wins: false },
        { ...copy, bindingId, file: "/etc/systemd/system/web.service", kind: "unit", wins: true },
      ],
      unread: [],
      shared: [],
    }),
  );
  const { stdout } = await cli("rotate API_KEY --dry-run");
  expect(stdout).toMatch(
    /overrides ours and keeps the old value: web: Environment= in \/etc\/systemd\/system\/web\.service, line 3\. See `lockstep doctor`\.\nis also stored elsewhere, and is not changed there: web: \/srv\/old\.env, line 3\n/,
  );
  const waited = await whileWorking(cli("rotate API_KEY --wait"));
  expect(waited.stderr).toContain(
    "note: is also stored elsewhere, and is not changed there: web: /srv/old.env, line 3",
  );
  expect((await cli("rotate API_KEY --json")).json()).toMatchObject({
    leftBehind: [
      { target: "web", copy: "/srv/old.env, line 3", wins: false },
      { target: "web", wins: true },
    ],
  });
});

test("a strategy that the bindings do not allow is refused, with the reason of each", async () => {
  const ran = await cli("rotate API_KEY --strategy overlap");
  expect(ran.exitCode).toBe(1);
  expect(ran.stderr).toContain("error STRATEGY_IMPOSSIBLE");
  expect(ran.stderr).toContain("nothing tells whether the application accepts a value");
});

test("--dry-run says in which order, how often places restart, and why all at once", async () => {
  const ran = await cli("rotate API_KEY --dry-run");
  expect(ran.stdout).toContain("replace: prepare ▸ commit");
  expect(ran.stdout).toContain("all at once, with a short time in which places differ, because");
});

describe("an ordered rotation by hand", () => {
  beforeEach(async () => {
    const bindings = [
      { target: "api", role: "verifier", acceptsFallback: "attested" },
      { target: "web", role: "caller" },
    ];
    const config = kit.config({ secrets: { API_KEY: bindings }, targets: { api: {}, web: {} } });
    const file = join(directory, "ordered.yaml");
    await writeFile(file, JSON.stringify(config));
    await cli(`apply --yes -f ${file}`);
    await kit.loop.drain(kit.context);
  });

  async function settling(): Promise<string> {
    const started = (await cli("rotate API_KEY --json")).json() as { rollout: string };
    await kit.loop.drain(kit.context);
    return started.rollout;
  }

  test("shows what each side holds, and what it waits for", async () => {
    const shown = await cli(`rollout show ${await settling()}`);
    expect(shown.stdout).toContain("accept ✓ ▸ switch ✓ ▸ settle … ▸ retire");
    expect(shown.stdout).toContain("v1 and v2");
    expect(shown.stdout).toContain("said to accept the fallback (attested)");
    expect(shown.stdout).toContain("no known caller uses v1; kept for 1d");
    // On its way is no drift.
    const doctor = await cli("doctor");
    expect(doctor.exitCode).toBe(0);
    expect(doctor.stdout).toContain("v1 and v2");
    expect((await cli("check")).exitCode).toBe(0);
  });

  test("goes back, and says which one it undoes", async () => {
    const rollout = await settling();
    const ran = await cli(`rollout rollback ${rollout} --json`);
    expect(ran.exitCode).toBe(0);
    expect(ran.json()).toMatchObject({ from: 2, to: 1, rollbackOf: rollout });
    await kit.loop.drain(kit.context);
    // It goes back already: whoever asks once more is shown that one.
    const again = await cli(`rollout rollback ${rollout} --json`);
    expect(again.exitCode).toBe(0);
    expect(again.json()).toMatchObject({ rollout: (ran.json() as { rollout: string }).rollout });
    // And it is the newest: what came before it is not gone back to.
    const resumed = await cli(`rollout resume ${rollout}`);
    expect(resumed.exitCode).toBe(1);
    expect(resumed.stderr).toContain("error VERSION_STATE");
  });

  test("--urgent waits for nobody's silence", async () => {
    const rollout = await settling();
    const hurried = (await cli("rotate API_KEY --urgent --json")).json();
    expect(hurried).toMatchObject({ rollout, to: 2 });
    await kit.loop.hurry();
    await kit.loop.drain(kit.context);
    expect((await cli(`rollout show ${rollout} --json`)).json()).toMatchObject({ state: "done" });
  });

  test("a second one meanwhile is refused, with the ways out", async () => {
    await settling();
    const ran = await cli("rotate API_KEY");
    expect(ran.exitCode).toBe(1);
    expect(ran.stderr).toContain("error ROLLOUT_OPEN");
    expect(ran.stderr).toContain("lockstep rollout rollback ");
  });

  test("force names a place and a reason, and needs a grant of its own", async () => {
    const rollout = await settling();
    const unknown = await cli(`rollout force ${rollout} --target nowhere --reason gone`);
    expect(unknown.stderr).toContain("error NOT_FOUND");
    expect((await cli(`rollout force ${rollout} --target web`)).exitCode).toBe(64);
    const forced = await cli(`rollout force ${rollout} --target web --reason gone --json`);
    expect(forced.json()).toMatchObject({ members: [{ forced: false }, { target: "web", forced: true }] });
    env.LOCKSTEP_TOKEN = await server.http.token("operator");
    const refused = await cli(`rollout force ${rollout} --target web --reason gone`);
    expect(refused.stderr).toContain("error FORBIDDEN");
  });

  test("a version that others know is never gone back to", async () => {
    const rollout = await settling();
    expect((await cli("secret compromised API_KEY --secret-version 1")).exitCode).toBe(0);
    const ran = await cli(`rollout rollback ${rollout}`);
    expect(ran.stderr).toContain("error VERSION_COMPROMISED");
  });
});

describe("when it does not end well", () => {
  test("--timeout ends the waiting with 4, and the rollout goes on", async () => {
    const ran = await cli("rotate API_KEY --wait --timeout 1s");
    expect(ran.exitCode).toBe(4);
    expect(ran.stderr).toContain("The rollout goes on. To check again: lockstep rollout show ");
    expect((await cli("rollout list --open --json")).json()).toMatchObject({
      rollouts: [{ state: "running" }],
    });
  });

  test("a secret that does not exist is not made up", async () => {
    const ran = await cli("rotate NO_SUCH_KEY");
    expect(ran.stderr).toContain("error NOT_FOUND");
  });
});

test("target test reports checks and abilities", async () => {
  const ran = await cli("target test api");
  expect(ran.stdout).toMatch(/api \(railway\): evidence up to/);
});
