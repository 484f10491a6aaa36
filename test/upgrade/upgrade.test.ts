/**
 * One release beside the one before it, as an operator upgrades without a pause: `migrate` while the old processes work,
 * then new ones beside them. Nothing fails meanwhile, what only the new engine knows is left to it, and to start the old
 * program again works or is refused with words.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { SERVES_SCHEMA } from "../../src/adapters/store/schema/schema.ts";
import { buildPreviousRelease, buildThisRelease } from "../support/build-release.ts";
import { findPreviousRelease } from "../support/find-release.ts";
import { lacks } from "../support/servers.ts";
import { OTHER_SECRET, type Release, type Running, SECRET, TwoReleases } from "./two-releases.ts";

const previous = findPreviousRelease();
const isLacking = [lacks("previous-release"), lacks("postgres"), lacks("redis"), lacks("sshd")].includes(
  true,
);

/** Restarts are looked after at once: that an operator waits some seconds for each is no part of this. */
const SOON = {
  "app/base/context.ts": (source: string) => source.replace("minPollMs: 3_000", "minPollMs: 50"),
};
/** As a release would that changes what rollouts mean: told in its environment. */
const AHEAD = "LOCKSTEP_TEST_ENGINE_AHEAD";
const ENGINE = {
  "core/rollout/strategy.ts": (source: string) => {
    const changed = source.replace(
      /ENGINE_VERSION = (\d+)/,
      `ENGINE_VERSION = $1 + Number(process.env.${AHEAD} ?? 0)`,
    );
    if (changed === source) throw new Error("the engine's version stands elsewhere now");
    return changed;
  },
};

const everywhere = (value: string) => ({
  api: value,
  vps: value,
  vpsRuns: value,
  mini: value,
  miniRuns: value,
});

describe.skipIf(isLacking)(
  `this release beside ${previous?.name ?? "the one before"}`,
  { timeout: 120_000 },
  () => {
    const both = new TwoReleases();
    const running: Running[] = [];
    /** It is older than that a store says whom it serves: then it refuses every newer one. */
    let knowsOfServing = false;
    let before: Release;
    let now: Release;
    let oldServer: Running;
    let oldWorker: Running;
    let newServer: Running;
    let newWorker: Running;

    beforeAll(async () => {
      if (previous === null) throw new Error("the previous release was found, and is gone");
      const home = join(inject("childPrograms"), "upgrade");
      const [{ main, otherPackages }, ours] = await Promise.all([
        buildPreviousRelease(previous, join(home, "before"), SOON),
        buildThisRelease(join(home, "now"), { ...SOON, ...ENGINE }),
        both.start(),
      ]);
      both.note(`packages of the old release: ${otherPackages.join(", ") || "as it was made with"}`);
      knowsOfServing = readFileSync(
        join(home, "before/tree/src/adapters/store/migrator.ts"),
        "utf8",
      ).includes("SERVES_SCHEMA");
      before = { name: "before", main, inProcess: false };
      now = { name: "now", main: ours, inProcess: true };
    }, 120_000);
    afterAll(() => both.stop());

    const serve = async (release: Release, role: "server" | "worker", env = {}): Promise<Running> => {
      const one = await both.serve(release, role, env);
      running.push(one);
      return one;
    };
    const set = async (release: Release, value: string, secret = SECRET): Promise<void> => {
      expect(await both.run(release, ["secret", "set", secret], value)).toMatchObject({
        code: 0,
        stderr: "",
      });
    };
    const schema = async (): Promise<number> =>
      (await both.rows<{ newest: number }>("select max(version) as newest from schema_migration"))[0]
        ?.newest ?? 0;

    it("the old server and worker go on while the schema is migrated", async () => {
      expect(await both.run(before, ["migrate"])).toMatchObject({ code: 0 });
      expect(await schema()).toBe(previous?.schema);
      oldServer = await serve(before, "server");
      expect(await both.run(before, ["apply", "--yes", "-f", both.configure()])).toMatchObject({ code: 0 });
      running.push(await both.startAgent(before));
      oldWorker = await serve(before, "worker");
      await set(before, "value-1");
      await both.rests();
      expect(await both.places()).toEqual(everywhere("value-1"));

      const [migrated] = await Promise.all([both.run(now, ["migrate"]), set(before, "value-2")]);
      expect(migrated).toMatchObject({ code: 0 });
      await both.rests();
      expect(await both.places()).toEqual(everywhere("value-2"));
    });

    it("the old worker pushes what comes through the new server, and both servers say the same", async () => {
      newServer = await serve(now, "server");
      await set(now, "value-3");
      await both.rests();
      expect(await both.places()).toEqual(everywhere("value-3"));
      for (const release of [before, now]) {
        const looked = await both.run(release, ["check", "--json"]);
        expect(looked).toMatchObject({ code: 0, stderr: "" });
      }
      expect(await both.states(now)).toEqual(await both.states(before));
      expect(await both.states(now)).toEqual([
        "api in-sync v3 running",
        "mini in-sync v3 deployed",
        "vps in-sync v3 deployed",
      ]);
    });

    it("two workers of two releases share the work, whichever server it came through", async () => {
      newWorker = await serve(now, "worker");
      await Promise.all([set(before, "value-4"), set(now, "other-4", OTHER_SECRET)]);
      await both.rests();
      expect(await both.places()).toEqual(everywhere("value-4"));
      await set(now, "value-5");
      await both.rests();
      expect(await both.places()).toEqual(everywhere("value-5"));
      expect(await both.rows("select from push where outcome in ('started', 'unknown')")).toEqual([]);
    });

    it("a rollout of a newer engine is left alone by the old worker, and ended by the new ones with the old agent", async () => {
      await newWorker.stop();
      await newServer.stop();
      newServer = await serve(now, "server", { [AHEAD]: "1" });
      await set(now, "value-6");
      const newest = () =>
        both.rows<{ state: string; phase: string; ahead: boolean }>(
          `select r.state, r.phase, r.engine_version > (select min(engine_version) from rollout) as ahead
         from rollout r join secret s on s.id = r.secret_id where s.name = '${SECRET}' order by r.started_at desc limit 1`,
        );
      const [started] = await newest();
      expect(started).toMatchObject({ state: "running", ahead: true });
      // What came later the old worker has done: it has passed by the other one.
      await set(before, "other-6", OTHER_SECRET);
      await both.until(async () => (await both.openRollouts()).join() === SECRET);
      expect(await newest()).toEqual([started]);

      // In the place of the old one: the agent goes on with it.
      await newServer.stop();
      await oldServer.stop();
      newServer = await serve(now, "server", { ...both.agentsAsBefore, [AHEAD]: "1" });
      newWorker = await serve(now, "worker", { [AHEAD]: "1" });
      await both.rests({ hurried: true });
      expect(await both.places()).toEqual(everywhere("value-6"));
    });

    it("what is said to serve is what is tried here: SERVES_SCHEMA names the release before", () => {
      expect(SERVES_SCHEMA).toBe(previous?.schema);
    });

    it("no process of either release logged an error, or a warning", () => {
      for (const one of running) expect(one.complaints()).toEqual([]);
    });

    it("the old program, started again, works or is refused with words and a code", async () => {
      for (const one of [newServer, newWorker, oldWorker]) await one.stop();
      if (knowsOfServing) {
        oldServer = await serve(before, "server");
        oldWorker = await serve(before, "worker");
        await set(before, "value-8");
        await both.rests();
        expect(await both.places()).toMatchObject({ api: "value-8", vpsRuns: "value-8" });
        return;
      }
      for (const role of ["server", "worker", "migrate"]) {
        const { code, stderr } = await both.run(before, [role]);
        expect({ role, code }).toEqual({ role, code: 64 });
        expect(stderr).toContain("STORE_SCHEMA");
        expect(stderr).toMatch(
          new RegExp(`its schema is \\d+, and this release knows at most ${previous?.schema}\\.`),
        );
        expect(stderr).toContain("start the release that the store was migrated to");
      }
    });
  },
);
