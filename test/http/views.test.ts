/** What people are shown, on a real store, after real pushes to scripted places. */
import { randomUUID } from "node:crypto";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { useDatabase } from "../support/database.ts";
import { answerOf, createHttpKit, type HttpKit } from "../support/http-kit.ts";
import { createLoopKit, type LoopKit } from "../support/loop-kit.ts";

const getDatabase = useDatabase();
let kit: LoopKit;
let http: HttpKit;

beforeAll(async () => {
  kit = createLoopKit(getDatabase());
});
beforeEach(async () => {
  await kit.reset();
  http = await createHttpKit(kit.context);
});

const status = async () => answerOf("getStatus", (await http.ask("/api/v1/status")).json());

async function seed(): Promise<void> {
  await kit.target("api");
  await kit.secret("API_KEY");
  await kit.bind("API_KEY", "api", { role: "verifier" });
}

describe("status", () => {
  test("never calls a secret without a value in sync", async () => {
    await seed();
    expect(await status()).toMatchObject({
      secrets: [
        {
          name: "API_KEY",
          environment: "production",
          current: null,
          bindings: [{ version: null, state: "missing" }],
        },
      ],
    });
  });

  test("shows what is on its way as owed, and what has arrived with version, evidence and time", async () => {
    await seed();
    await kit.set("API_KEY", "canary-1");
    const before = await status();
    expect(before.secrets[0]?.bindings[0]).toMatchObject({
      target: "api",
      key: "API_KEY",
      state: "owed",
      version: null,
    });

    await kit.drain();
    const after = await status();
    expect(after.secrets[0]).toMatchObject({ current: 1 });
    expect(after.secrets[0]?.bindings[0]).toMatchObject({ role: "verifier", version: 1, reason: null });
    expect(after.secrets[0]?.bindings[0]?.evidence).not.toBeNull();
    expect(after.secrets[0]?.bindings[0]?.observedAt).not.toBeNull();
    expect(JSON.stringify(after)).not.toContain("canary");
  });

  test("of another environment is empty", async () => {
    await seed();
    const answer = await http.ask("/api/v1/status?environment=staging");
    expect(answer.json()).toEqual({ secrets: [], next: null, setBack: null });
  });
});

describe("history", () => {
  test("tells each push with its items, and holds no value", async () => {
    await seed();
    await kit.set("API_KEY", "canary-1");
    await kit.drain();
    const answer = await http.ask("/api/v1/history?target=api&secret=API_KEY&limit=1");
    expect(answer.text).not.toContain("canary");
    const { pushes } = answerOf("listPushes", answer.json());
    expect(pushes).toHaveLength(1);
    expect(pushes[0]).toMatchObject({
      target: "api",
      outcome: "succeeded",
      error: null,
      items: [{ secret: "API_KEY", key: "API_KEY", slot: "primary", version: 1, action: "set" }],
    });
  });

  test("of an unknown target is empty", async () => {
    expect((await http.ask("/api/v1/history?target=nowhere")).json()).toEqual({ pushes: [], next: null });
    expect((await http.ask("/api/v1/history?after=nonsense")).status).toBe(422);
  });
});

describe("rollouts", () => {
  test("are listed, and one is shown with its bindings", async () => {
    await seed();
    await kit.set("API_KEY", "one");
    await kit.drain();
    const { rollouts } = answerOf("listRollouts", (await http.ask("/api/v1/rollouts")).json());
    expect(rollouts[0]).toMatchObject({ secret: "API_KEY", to: 1 });
    const shown = answerOf("getRollout", (await http.ask(`/api/v1/rollouts/${rollouts[0]?.rollout}`)).json());
    expect(shown.bindings).toMatchObject([{ target: "api", version: 1 }]);
  });

  test.each(["no-uuid", "00000000-0000-4000-8000-000000000000"])(
    "that do not exist (%s) are not found",
    async (id) => {
      expect((await http.ask(`/api/v1/rollouts/${id}`)).status).toBe(404);
    },
  );
});

test("targets are listed with what they owe", async () => {
  await seed();
  await kit.set("API_KEY", "one");
  const before = answerOf("listTargets", (await http.ask("/api/v1/targets")).json());
  expect(before.targets).toMatchObject([{ name: "api", kind: "memory", bindings: 1, state: "owed" }]);
});

test("check looks at the places now", async () => {
  await seed();
  await kit.set("API_KEY", "one");
  await kit.drain();
  const answer = await http.ask("/api/v1/check", { method: "POST", body: { target: "api" } });
  expect(answerOf("check", answer.json()).targets).toMatchObject([
    { target: "api", error: null, bindings: [{ secret: "API_KEY", state: "in-sync" }] },
  ]);
});

test("check of a target that does not exist is not a clean bill", async () => {
  expect((await http.ask("/api/v1/check", { method: "POST", body: { target: "nowhere" } })).status).toBe(404);
});

describe("an Idempotency-Key", () => {
  let key: Record<string, string>;
  beforeEach(() => {
    key = { "idempotency-key": randomUUID() };
  });

  test("lets a repeated write answer what the first one did", async () => {
    await seed();
    const first = await http.ask("/api/v1/check", { method: "POST", body: {}, headers: key });
    await kit.set("API_KEY", "one");
    const second = await http.ask("/api/v1/check", { method: "POST", body: {}, headers: key });
    expect(second.json()).toEqual(first.json());
  });

  test("is refused for another request", async () => {
    await seed();
    await http.ask("/api/v1/check", { method: "POST", body: {}, headers: key });
    const other = await http.ask("/api/v1/check", {
      method: "POST",
      body: { target: "api" },
      headers: key,
    });
    expect(other.json()).toMatchObject({ code: "IDEMPOTENCY_REUSED" });
  });

  test("is free again after a failure", async () => {
    const failed = await http.ask("/api/v1/check", { method: "POST", body: {}, headers: key });
    expect(failed.status).toBe(404);
    await seed();
    expect((await http.ask("/api/v1/check", { method: "POST", body: {}, headers: key })).status).toBe(200);
  });
});
