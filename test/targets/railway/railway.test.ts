import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { railwayKind } from "../../../src/adapters/targets/railway/target.ts";
import { LockstepError } from "../../../src/core/errors.ts";
import { formatOrder, type Order } from "../../../src/core/order.ts";
import type { Change, RequestBudget, Target } from "../../../src/core/ports/target.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import {
  INSTANT,
  type RailwaySimulator,
  startRailwaySimulator,
} from "../../../src/simulator/railway/server.ts";

const never = new AbortController().signal;
const STORE = "11111111-2222-4333-8444-555555555555";
const order = (generation: number): Order => ({ storeId: STORE, epoch: 1, generation });
const CANARY = "canary-4f1d-value";

let railway: RailwaySimulator;
let serviceId: string;
const opened: Target[] = [];

beforeEach(async () => {
  railway = await startRailwaySimulator({ durations: INSTANT });
  ({ serviceId } = await railway.state.addService({
    name: "api",
    variables: { KEPT: "theirs", OLD: "old" },
  }));
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((target) => target.close()));
  await railway.close();
});

interface Opening {
  readonly token?: string;
  readonly service?: string | null;
  readonly timeoutMs?: number;
  readonly budget?: RequestBudget;
  readonly marker?: boolean;
}

function open(options: Opening = {}): Target {
  const { projectId, environmentId, projectToken } = railway.defaults;
  const service = options.service === undefined ? serviceId : options.service;
  const { config, credentials } = railwayKind.parse({
    railway: {
      project: projectId,
      environment: environmentId,
      ...(service === null ? { shared: true } : { service }),
      token: options.token ?? projectToken,
      endpoint: railway.url,
      requestTimeoutMs: options.timeoutMs ?? 5_000,
    },
  });
  const target = railwayKind.open(config, credentials, {
    targetName: "api",
    budget: options.budget ?? { take: async () => {}, report: async () => {} },
    storeId: STORE,
    revisionMarker: options.marker ?? true,
  });
  opened.push(target);
  return target;
}

const set = (values: Record<string, string>): Change => ({
  set: Object.entries(values).map(([key, value]) => ({ placement: "", key, value: SecretValue.of(value) })),
  unset: [],
});
const at = (...keys: string[]) => keys.map((key) => ({ placement: "", key }));
const stored = () => railway.state.storedVariables({ service: serviceId });

async function failure(work: Promise<unknown>): Promise<LockstepError> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof LockstepError)) throw new Error(`no LockstepError: ${String(error)}`);
  expect(`${error.message} ${error.hint} ${JSON.stringify(error)} ${error.stack}`).not.toContain("canary");
  expect(error.cause).toBeUndefined();
  return error;
}

async function untilFollowed(
  target: Target,
  unit: Awaited<ReturnType<Target["observe"]>>["units"][number],
  asked: { readonly id: string | null; readonly knownIds: readonly string[] },
  values: Record<string, string>,
) {
  const expected = set(values).set;
  const deadline = AbortSignal.timeout(10_000);
  for (;;) {
    const [progress] =
      (await target.activator?.follow([{ unit, ...asked, requestedAgoMs: 0, expected }], never)) ?? [];
    if (progress === undefined) throw new Error("no progress");
    if (progress.state !== "running") return progress;
    deadline.throwIfAborted();
  }
}

describe("reading", () => {
  it("gives what is stored for the asked keys only, in their order", async () => {
    await railway.state.setVariables({
      service: serviceId,
      variables: { SEALED: { value: CANARY, sealed: true }, REF: "${{shared.X}}", EMPTY: "" },
    });
    const { keys, order: found } = await open().observe(
      at("KEPT", "ABSENT", "SEALED", "REF", "EMPTY"),
      never,
    );
    expect(keys.map(({ observed }) => observed.state)).toEqual([
      "present",
      "absent",
      "unreadable",
      "reference",
      "present",
    ]);
    expect(keys[0]?.observed).toMatchObject({ value: expect.objectContaining({}) });
    expect(JSON.stringify(keys)).not.toContain("theirs");
    expect(found).toBeNull();
  });

  it("names a staged change that would override ours", async () => {
    await railway.state.stageChanges({
      patch: { services: { [serviceId]: { variables: { KEPT: { value: "edited" } } } } },
    });
    const { keys } = await open().observe(at("KEPT", "OLD"), never);
    expect(keys.map(({ pendingManualChange }) => pendingManualChange ?? false)).toEqual([true, false]);
  });

  it("of the shared scope names the services that refer to a key as its units", async () => {
    await railway.state.setShared({ variables: { TOKEN: "x" } });
    await railway.state.addService({ name: "uses", variables: { MINE: "a-${{ shared.TOKEN }}" } });
    await railway.state.addService({ name: "does-not", variables: { MINE: "${{shared.OTHER}}" } });
    const { units, keys } = await open({ service: null }).observe(at("TOKEN"), never);
    expect(units.map(({ name }) => name)).toEqual(["uses"]);
    expect(keys[0]?.observed.state).toBe("present");
  });

  it("follows every page of a long list", async () => {
    await railway.close();
    railway = await startRailwaySimulator({ durations: INSTANT, behaviour: { maxPageSize: 2 } });
    ({ serviceId } = await railway.state.addService({
      name: "api",
      variables: Object.fromEntries("ABCDEF".split("").map((name) => [name, { value: "x", sealed: true }])),
    }));
    const { keys } = await open().observe(at(..."ABCDEF".split("")), never);
    expect(keys.every(({ observed }) => observed.state === "unreadable")).toBe(true);
  });
});

describe("writing", () => {
  it("sends one upsert of the changed names, no deployment, and leaves everything else alone", async () => {
    await open().apply(set({ NEW: "n", OLD: "changed" }), order(7), never);
    expect(await stored()).toEqual({
      KEPT: "theirs",
      OLD: "changed",
      NEW: "n",
      LOCKSTEP_REV: formatOrder(order(7)),
    });
    expect(await railway.log.writes()).toHaveLength(1);
    expect(await railway.log.deploys()).toHaveLength(0);
    expect((await open().observe(at("OLD"), never)).order).toEqual(order(7));
  });

  it("leaves no marker when it was turned off, and sends nothing for nothing", async () => {
    await open({ marker: false }).apply(set({ NEW: "n" }), order(1), never);
    expect(Object.keys(await stored())).not.toContain("LOCKSTEP_REV");
    expect(await open().apply({ set: [], unset: [] }, order(2), never)).toEqual({ outcome: "unchanged" });
    expect(await railway.log.writes()).toHaveLength(1);
  });

  it("deletes only the named keys; one that is gone already is fine", async () => {
    await open().apply({ set: [], unset: at("OLD", "NEVER_THERE") }, order(1), never);
    expect(await stored()).toEqual({ KEPT: "theirs" });
  });

  it("of the shared scope goes to the shared scope", async () => {
    await open({ service: null }).apply(set({ TOKEN: "s" }), order(1), never);
    expect(await railway.state.storedVariables({ service: null })).toMatchObject({ TOKEN: "s" });
    expect(await stored()).not.toHaveProperty("TOKEN");
  });

  it.each([
    "line one\nline two",
    "quotes \" and '",
    "ünïcödé 🔑",
    " blanks ",
    "a.b.c=",
    "x".repeat(30_000),
    "",
  ])("gives %j back unchanged", async (value) => {
    const target = open();
    await target.apply(set({ NEW: value }), order(1), never);
    const { keys } = await target.observe(at("NEW"), never);
    expect(keys[0]?.observed.state === "present" ? keys[0].observed.value.reveal() : null).toBe(value);
  });

  it.each([
    ["1ABC", "x", "KEY_INVALID"],
    ["WITH-DASH", "x", "KEY_INVALID"],
    ["RAILWAY_TOKEN", "x", "KEY_INVALID"],
    ["LOCKSTEP_REV", "x", "KEY_INVALID"],
    ["FINE", "a ${{shared.X}}", "VALUE_INVALID"],
  ])("refuses %s = %j before anything is sent", async (key, value, code) => {
    expect(await failure(open().apply(set({ [key]: value }), order(1), never))).toMatchObject({ code });
    expect(await railway.log.writes()).toHaveLength(0);
  });

  it("sends nothing once its time is over", async () => {
    expect(await failure(open().apply(set({ NEW: CANARY }), order(1), AbortSignal.abort()))).toMatchObject({
      code: expect.stringMatching(/UNREACHABLE|UNAVAILABLE/),
    });
    expect(await railway.log.writes()).toHaveLength(0);
  });
});

describe("when Railway misbehaves", () => {
  const upsert = "variableCollectionUpsert";
  const write = () => open().apply(set({ NEW: CANARY }), order(1), never);

  it.each([
    [
      "429 with Retry-After",
      { kind: "rate-limited", operation: upsert, retryAfterSeconds: 7 },
      "TARGET_RATE_LIMITED",
      7_000,
    ],
    [
      "429 without Retry-After",
      { kind: "rate-limited", operation: upsert, body: "html" },
      "TARGET_RATE_LIMITED",
      60_000,
    ],
    [
      "throttling inside GraphQL",
      { kind: "graphql-rate-limited", operation: upsert },
      "TARGET_RATE_LIMITED",
      60_000,
    ],
    [
      "the edge's page with 403",
      { kind: "html-page", operation: upsert, status: 403 },
      "TARGET_UNAVAILABLE",
      300_000,
    ],
    [
      "the edge's page with 200",
      { kind: "html-page", operation: upsert, status: 200 },
      "TARGET_OUTCOME_UNKNOWN",
      undefined,
    ],
    [
      "504 after it was applied",
      { kind: "gateway-timeout", operation: upsert, applied: "yes" },
      "TARGET_OUTCOME_UNKNOWN",
      undefined,
    ],
    [
      "504 without",
      { kind: "gateway-timeout", operation: upsert, applied: "no" },
      "TARGET_OUTCOME_UNKNOWN",
      undefined,
    ],
    ["500", { kind: "http-error", operation: upsert, status: 500 }, "TARGET_OUTCOME_UNKNOWN", undefined],
    [
      "200 with a masked failure",
      { kind: "graphql-error", operation: upsert, message: "Problem processing request" },
      "TARGET_OUTCOME_UNKNOWN",
      undefined,
    ],
    [
      "200 with a refusal",
      {
        kind: "graphql-error",
        operation: upsert,
        message: `Error in name - Invalid input ${CANARY}`,
        code: "BAD_USER_INPUT",
      },
      "TARGET_REFUSED",
      undefined,
    ],
    [
      "200 with Not Authorized",
      { kind: "graphql-error", operation: upsert, message: "Not Authorized" },
      "TARGET_CREDENTIAL_REJECTED",
      undefined,
    ],
    [
      "two factors",
      { kind: "graphql-error", operation: upsert, message: "Two Factor Authentication Required" },
      "TARGET_PERMISSION",
      undefined,
    ],
    [
      "a missing project",
      { kind: "graphql-error", operation: upsert, message: "Project not found" },
      "TARGET_MISSING",
      undefined,
    ],
    [
      "a connection dropped before",
      { kind: "dropped-connection", operation: upsert, applied: false },
      "TARGET_OUTCOME_UNKNOWN",
      undefined,
    ],
    [
      "a connection dropped after",
      { kind: "dropped-connection", operation: upsert, applied: true },
      "TARGET_OUTCOME_UNKNOWN",
      undefined,
    ],
  ] as const)("%s: a write ends as %s", async (_what, fault, code, retryAfterMs) => {
    await railway.faults.add({ ...fault });
    const error = await failure(write());
    expect(error.code).toBe(code);
    expect(error.retryAfterMs).toBe(retryAfterMs);
  });

  it("a silent server: a write's outcome is unknown, a read is tried later", async () => {
    await open().observe([], never);
    await railway.faults.add({ kind: "slow", operation: [upsert, "variables"], times: "always" });
    expect(
      await failure(open({ timeoutMs: 300 }).apply(set({ NEW: CANARY }), order(1), never)),
    ).toMatchObject({ code: "TARGET_OUTCOME_UNKNOWN" });
    expect(await failure(open({ timeoutMs: 300 }).observe(at("NEW"), never))).toMatchObject({
      code: "TARGET_UNAVAILABLE",
    });
    await railway.faults.release({});
  });

  it("nobody listens: surely not sent", async () => {
    const target = open();
    await target.observe([], never);
    await railway.close();
    // The first request may still go into a connection that was kept.
    await failure(target.apply(set({ NEW: CANARY }), order(1), never));
    expect(await failure(target.apply(set({ NEW: CANARY }), order(1), never))).toMatchObject({
      code: "TARGET_UNREACHABLE",
    });
    railway = await startRailwaySimulator();
  });

  it("a token of the wrong kind finds its header; a dead one is refused and named by the probe", async () => {
    expect(
      (await open({ token: railway.defaults.accountToken }).observe(at("KEPT"), never)).keys,
    ).toHaveLength(1);
    expect((await open({ token: railway.defaults.workspaceToken }).probe(never)).ok).toBe(true);
    expect(await failure(open({ token: "dead-token-000000" }).observe(at("KEPT"), never))).toMatchObject({
      code: "TARGET_CREDENTIAL_REJECTED",
    });
    const { ok, checks } = await open({ token: "dead-token-000000" }).probe(never);
    expect([ok, checks[0]?.name, checks[0]?.ok]).toEqual([false, "token", false]);
  });

  it("a project token of another environment is told apart", async () => {
    const { environmentId } = await railway.state.addEnvironment({ name: "staging" });
    const { token } = await railway.state.addToken({ kind: "project", environmentId });
    const { checks } = await open({ token }).probe(never);
    expect(checks.at(-1)?.message).toContain(environmentId);
  });
});

describe("limits", () => {
  it("every request asks for its budget, and Railway's word about it is passed on", async () => {
    const taken: string[] = [];
    const reported: unknown[] = [];
    const budget: RequestBudget = {
      take: async (key, cost, purpose) => void taken.push(`${key.split(":")[0]} ${cost} ${purpose}`),
      report: async (_key, seen) => void reported.push(seen),
    };
    const target = open({ budget });
    await target.observe(at("KEPT"), never);
    await target.apply(set({ NEW: "x" }), order(1), never);
    expect(taken.slice(-2)).toEqual(["railway 1 background", "railway 1 push"]);
    expect(reported.at(-1)).toMatchObject({
      limit: expect.any(Number),
      remaining: expect.any(Number),
      resetsAt: expect.any(Date),
    });
  });
});

describe("activation", () => {
  const units = async (target: Target) => (await target.observe(at("OLD"), never)).units;

  async function redeploy(target: Target) {
    const [unit] = await units(target);
    if (unit === undefined || target.activator === null) throw new Error("no unit");
    const { knownIds, dormant } = await target.activator.prepare(unit, never);
    const { id } = await target.activator.activate(unit, never);
    return { unit, asked: { id, knownIds }, dormant };
  }

  it("is one redeployment, and succeeds when what runs was started with the value", async () => {
    const target = open();
    await target.apply(set({ OLD: "changed" }), order(1), never);
    const { unit, asked } = await redeploy(target);
    expect(await untilFollowed(target, unit, asked, { OLD: "changed" })).toMatchObject({
      state: "succeeded",
      id: asked.id,
    });
    expect(await railway.log.deploys()).toHaveLength(1);
  });

  it("is outdated when what runs was started with another value", async () => {
    const target = open();
    const { unit, asked } = await redeploy(target);
    expect(await untilFollowed(target, unit, asked, { OLD: "changed" })).toMatchObject({ state: "outdated" });
    expect(await untilFollowed(target, unit, asked, { OLD: "old", NOT_THERE: CANARY })).toMatchObject({
      state: "outdated",
    });
  });

  it.each([
    [{ kind: "deployment-fails" }, "failed"],
    [{ kind: "deployment-crashes" }, "failed"],
    [{ kind: "deployment-skipped" }, "failed"],
    [{ kind: "deployment-needs-approval" }, "blocked"],
  ] as const)("%j ends as %s", async (fault, state) => {
    await railway.faults.add({ ...fault });
    const target = open();
    const { unit, asked } = await redeploy(target);
    expect((await untilFollowed(target, unit, asked, { OLD: "old" })).state).toBe(state);
  });

  it("a lost answer: what is newer than what was known is ours", async () => {
    const target = open();
    const [unit] = await units(target);
    if (unit === undefined || target.activator === null) throw new Error("no unit");
    const { knownIds } = await target.activator.prepare(unit, never);
    await railway.faults.add({ kind: "dropped-connection", operation: "deploymentRedeploy", applied: true });
    expect(await failure(target.activator.activate(unit, never))).toMatchObject({
      code: "TARGET_OUTCOME_UNKNOWN",
    });
    expect(await untilFollowed(target, unit, { id: null, knownIds }, { OLD: "old" })).toMatchObject({
      state: "succeeded",
    });
    const { knownIds: all } = await target.activator.prepare(unit, never);
    expect(await untilFollowed(target, unit, { id: null, knownIds: all }, { OLD: "old" })).toMatchObject({
      state: "not-started",
    });
  });

  it("never wakes a service that was never deployed", async () => {
    ({ serviceId } = await railway.state.addService({ name: "new", deployed: false }));
    const target = open();
    const [unit] = await units(target);
    if (unit === undefined || target.activator === null) throw new Error("no unit");
    expect(await target.activator.prepare(unit, never)).toEqual({ knownIds: [], dormant: true });
  });

  it("follows all services of an environment with one request", async () => {
    const target = open();
    const { unit, asked } = await redeploy(target);
    await untilFollowed(target, unit, asked, { OLD: "old" });
    const other = { ...unit, key: "other", config: { ...unit.config } };
    await railway.faults.clear({});
    await railway.log.clear({});
    await target.activator?.follow(
      [
        { unit, ...asked, requestedAgoMs: 0, expected: [] },
        { unit: other, ...asked, requestedAgoMs: 0, expected: [] },
      ],
      never,
    );
    expect((await railway.log.requests({ operation: "FollowEnvironment" })).length).toBe(1);
  });
});

describe("configuration", () => {
  const base = { project: "p-1", environment: "e-1", token: "token-0000" };
  it.each([
    [{ ...base }, "service"],
    [{ ...base, service: "s", shared: true }, "service"],
    [{ ...base, service: "s", endpoint: "http://example.com/graphql" }, "endpoint"],
    [{ ...base, service: "s", endpoint: "https://user:pass@example.com/" }, "endpoint"],
    [{ ...base, service: "s", replace: true }, "replace"],
    [{ ...base, service: "../x" }, "service"],
    [{ ...base, service: "s", token: "with space" }, "token"],
  ])("refuses %j", (railwayPart, named) => {
    let error: unknown = null;
    try {
      railwayKind.parse({ railway: railwayPart });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: "CONFIG_INVALID", message: expect.stringContaining(named) });
  });

  it("a credential is bound to project, environment, service and endpoint; places collide when they are the same", () => {
    const one = railwayKind.parse({ railway: { ...base, service: "s" } });
    const shared = railwayKind.parse({ railway: { ...base, shared: true } });
    expect(one.credentials).toEqual({ token: "token-0000" });
    expect(JSON.stringify(one.config)).not.toContain("token-0000");
    expect(railwayKind.destination(one.config)).not.toBe(railwayKind.destination(shared.config));
    expect(railwayKind.place(one.config, "")).toBe("railway:backboard.railway.com/p-1/e-1/s");
  });
});
