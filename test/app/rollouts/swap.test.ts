import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { beforeAll, beforeEach, expect, it } from "vitest";
import type { AppContext } from "../../../src/app/base/context.ts";
import { rollbackRollout } from "../../../src/app/rollouts/rollback-rollout.ts";
import type { Prober } from "../../../src/core/ports/prober.ts";
import { createCaller } from "../../../src/sdk/caller.ts";
import { describeOnAStore } from "../../support/database.ts";
import { createLoopKit, type LoopKit, TESTER } from "../../support/loop-kit.ts";
import { type ScriptedPlace, scriptedPlace } from "../../support/scripted-target.ts";

const KEY = "TOKEN";
const FALLBACK = "TOKEN_FALLBACK";
const PROBE = { probe: { http: { url: "http://127.0.0.1:1/" } } };

/** A gateway that holds exactly one token, and callers that try both of theirs. */
describeOnAStore("swap", (database) => {
  let kit: LoopKit;
  let context: AppContext;
  let gateway: ScriptedPlace;
  let caller: ScriptedPlace;
  /** Moments in which a caller had nothing that the gateway accepts. */
  let failed: string[];

  const watch = (): void => {
    const accepted = gateway.running.get(KEY);
    for (const life of [caller.running, caller.values]) {
      const tried = [life.get(KEY), life.get(FALLBACK)].filter((value) => value !== undefined);
      if (tried.length > 0 && accepted !== undefined && !tried.includes(accepted))
        failed.push(`${tried.join(" and ")} against ${accepted}`);
    }
  };
  const asked: Prober = {
    probe: async (_spec, value) =>
      gateway.running.get(KEY) === value.reveal()
        ? { verdict: "accepted", reason: "answered 400" }
        : { verdict: "refused", reason: "answered 401" },
  };

  /** Between two steps of the loop. */
  let meanwhile: () => Promise<void>;

  beforeAll(() => {
    kit = createLoopKit(database(), { isJudged: true });
    context = kit.other({
      prober: asked,
      checkpoint: async () => {
        watch();
        await meanwhile();
      },
    });
  });

  async function world(said: { readonly triesBoth?: "attested" }): Promise<void> {
    await kit.reset();
    failed = [];
    meanwhile = async () => {};
    gateway = scriptedPlace(await kit.target("gateway"));
    caller = scriptedPlace(await kit.target("caller"));
    await kit.secret(KEY);
    await kit.bind(KEY, "gateway", { role: "verifier", said: PROBE });
    await kit.bind(KEY, "caller", { role: "caller", said });
    await kit.set(KEY, "one", context);
    await kit.drain(context);
    failed = [];
    await kit.rows(`update secret set policy = '{"rotate": {"strategy": "swap"}}'`);
  }

  beforeEach(() => world({ triesBoth: "attested" }));

  const rollout = async () =>
    (
      await kit.rows<{ id: string; phase: string; state: string }>(
        "select id, phase, state from rollout order by started_at desc limit 1",
      )
    )[0];
  const settled = async (): Promise<void> => {
    await kit.rows(
      "update rollout set phase_started_at = now() - interval '30 days', next_action_at = now()",
    );
    await kit.drain(context);
  };

  it("gives callers both, turns the gateway round, and takes the old one away: no call fails", async () => {
    await kit.set(KEY, "two", context);
    await kit.drain(context);
    expect(await rollout()).toMatchObject({ phase: "settle", state: "running" });
    expect([gateway.running.get(KEY), gateway.values.has(FALLBACK)]).toEqual(["two", false]);
    expect([caller.running.get(KEY), caller.running.get(FALLBACK)]).toEqual(["two", "one"]);
    await settled();
    expect(await rollout()).toMatchObject({ state: "done" });
    expect([caller.running.get(KEY), caller.values.has(FALLBACK)]).toEqual(["two", false]);
    expect(failed).toEqual([]);
  });

  it("answers every call of lockstep/caller, through the window in which the first try is refused", async () => {
    const tries: number[] = [];
    const server = createServer((incoming, response) => {
      const status = incoming.headers["x-internal-secret"] === gateway.running.get(KEY) ? 200 : 401;
      tries.push(status);
      response.writeHead(status).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const client = createCaller({
      name: KEY,
      origins: [new URL(url).origin],
      source: () => ({ primary: caller.running.get(KEY), fallback: caller.running.get(FALLBACK) }),
    });
    const statuses: number[] = [];
    const call = async () => void statuses.push((await client.fetch(url)).status);
    meanwhile = call;
    try {
      await kit.set(KEY, "two", context);
      await kit.drain(context);
      await call();
      await settled();
      await call();
    } finally {
      server.close().closeAllConnections();
    }
    expect(await rollout()).toMatchObject({ state: "done" });
    expect(statuses.length).toBeGreaterThan(10);
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    // From the gateway's change until the callers put the new one first, a second try is what answers.
    expect(tries).toContain(401);
    expect(tries.at(-1)).toBe(200);
  });

  it("leaves the gateway alone while a caller does not have both", async () => {
    caller.nextActivations.push("fail", "fail");
    await kit.set(KEY, "two", context);
    await kit.drain(context);
    expect(await rollout()).toMatchObject({ phase: "stage", state: "stalled" });
    expect(gateway.values.get(KEY)).toBe("one");
    expect(failed).toEqual([]);
  });

  it("goes back without a failed call", async () => {
    await kit.set(KEY, "two", context);
    await kit.drain(context);
    await rollbackRollout(context, TESTER, (await rollout())?.id ?? "");
    await kit.drain(context);
    await settled();
    expect(await rollout()).toMatchObject({ state: "done" });
    expect([gateway.running.get(KEY), caller.running.get(KEY), caller.values.has(FALLBACK)]).toEqual([
      "one",
      "one",
      false,
    ]);
    expect(failed).toEqual([]);
  });

  it("is refused, with the reason, where callers do not try both", async () => {
    await world({});
    await expect(kit.set(KEY, "two", context)).rejects.toMatchObject({
      code: "STRATEGY_IMPOSSIBLE",
      message: expect.stringContaining("callers must try both"),
    });
    expect(await rollout()).toMatchObject({ state: "done" });
  });
});
