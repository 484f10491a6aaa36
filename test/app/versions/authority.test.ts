/** A value that was changed where it is made: accepted only where the service says so about both. */
import { sql } from "kysely";
import { beforeAll, beforeEach, expect, it } from "vitest";
import { checkTargets } from "../../../src/app/drift/check-targets.ts";
import { observeProcesses } from "../../../src/app/observe/observe-processes.ts";
import { bindingStatus } from "../../../src/app/status/binding-status.ts";
import { withTarget } from "../../../src/app/targets/open-target.ts";
import { acceptFromAuthority } from "../../../src/app/versions/accept-from-authority.ts";
import type { ProbeVerdict } from "../../../src/core/ports/prober.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { describeOnAStore } from "../../support/database.ts";
import { createLoopKit, type LoopKit } from "../../support/loop-kit.ts";
import { type ScriptedPlace, scriptedPlace } from "../../support/scripted-target.ts";

const never = new AbortController().signal;
const PROBE = {
  http: { url: "https://gateway.example.com/", headers: { A: "{{value}}" }, accepted: [200], refused: [401] },
};
const OURS = "canary-token-that-is-ours";
const BY_HAND = "canary-token-set-by-hand";

describeOnAStore("an authority", (database) => {
  let kit: LoopKit;
  let gateway: ScriptedPlace;
  let client: ScriptedPlace;
  let verdicts: Map<string, ProbeVerdict>;
  let asked: string[];
  let secretId: string;

  const process = () =>
    kit.other({
      prober: {
        probe: async (_spec, value) => {
          asked.push(value.reveal());
          return { verdict: verdicts.get(value.reveal()) ?? "cannot-tell", reason: "said so" };
        },
      },
    });
  const onlyLook = async () => {
    const [id = ""] = await kit.targetIds("gateway");
    const record = await kit.context.store.read.targets.findById(id);
    await checkTargets(process(), record === null ? [] : [record], never);
  };
  const look = async () => {
    await onlyLook();
    await kit.drain(process());
  };
  const taken = () =>
    kit.rows<{ details: { version: number; from: string; instead: number } }>(
      `select details from audit_entry where action = 'secret.taken_over' and subject_id = '${secretId}' order by at`,
    );
  const changeThere = (value = BY_HAND) => {
    gateway.values.set("TOKEN", value);
    verdicts = new Map<string, ProbeVerdict>([
      [value, "accepted"],
      [OURS, "refused"],
    ]);
  };
  const isAuthority = (is: boolean) =>
    sql`update binding set options = options || ${JSON.stringify({ authority: is })}::jsonb where role = 'verifier'`.execute(
      database().db,
    );

  beforeAll(() => {
    kit = createLoopKit(database());
  });
  beforeEach(async () => {
    await kit.reset();
    asked = [];
    verdicts = new Map([[OURS, "accepted" as const]]);
    gateway = scriptedPlace(await kit.target("gateway"));
    client = scriptedPlace(await kit.target("client"));
    secretId = await kit.secret("TOKEN");
    await kit.bind("TOKEN", "gateway", { role: "verifier", said: { authority: true, probe: PROBE } });
    await kit.bind("TOKEN", "client", { role: "caller" });
    await kit.set("TOKEN", OURS);
    await kit.drain(process());
    asked = [];
  });

  it("whose value nobody changed is asked about that alone", async () => {
    await look();
    expect(asked).toEqual(["canary-token-that-is-ours"]);
    expect(await taken()).toEqual([]);
  });

  it("is asked by schedule once in five minutes, whichever process checks", async () => {
    const [id = ""] = await kit.targetIds("gateway");
    const record = await kit.context.store.read.targets.findById(id);
    const checkBySchedule = async (laterMs: number) => {
      const context = { ...process(), clock: { now: () => new Date(Date.now() + laterMs) } };
      const limits = { maxAtOnce: 1, timeoutMs: null, asksAgents: false };
      await checkTargets(context, record === null ? [] : [record], never, limits);
      return asked.length;
    };
    expect([await checkBySchedule(0), await checkBySchedule(1_000), await checkBySchedule(301_000)]).toEqual([
      1, 1, 2,
    ]);
  });

  it("is not asked about a value that somebody else knows", async () => {
    await sql`update secret_version set compromised_at = now()`.execute(database().db);
    await look();
    expect(asked).toEqual([]);
    // Also where it became known while the place was looked at.
    const [id = ""] = await kit.targetIds("gateway");
    const record = await kit.context.store.read.targets.findById(id);
    const [{ id: bindingId = "" } = {}] = await kit.context.store.read.targets.bindings(id);
    if (record === null) throw new Error("no target");
    const asking = { units: [], mayAsk: new Set([bindingId]), isWaitedFor: true };
    await withTarget(process(), record, (open) => observeProcesses(process(), id, open, asking, never));
    expect(asked).toEqual([]);
  });

  it("that refuses what stands there is behind, until it accepts it", async () => {
    const status = async () => {
      await look();
      const row = (await kit.context.store.read.views.bindings({})).find(({ role }) => role === "verifier");
      return row === undefined ? null : bindingStatus(row);
    };
    verdicts.set(OURS, "refused");
    expect(await status()).toMatchObject({
      state: "stale",
      reason: "it refuses v1 (said so)",
      accepts: [{ version: 1, verdict: "refused" }],
    });
    verdicts.set(OURS, "accepted");
    expect(await status()).toMatchObject({ state: "in-sync", evidence: "proven" });
    verdicts.set(OURS, "cannot-tell");
    expect(await status()).toMatchObject({ state: "in-sync", evidence: "proven" });
  });

  it("that accepts what was set there, and refuses ours, is followed by everybody who sends it", async () => {
    const writes = gateway.writes.length;
    changeThere();
    await look();
    expect(await taken()).toMatchObject([{ details: { from: "gateway", version: 2, instead: 1 } }]);
    expect(client.values.get("TOKEN")).toBe(BY_HAND);
    expect(gateway.values.get("TOKEN")).toBe(BY_HAND);
    // What stood there was right: nothing was written over it.
    expect(gateway.writes.slice(writes).flatMap(({ set }) => set)).toEqual([]);
    expect(JSON.stringify(await kit.rows("select * from audit_entry"))).not.toContain("canary");
    await look();
    expect(await taken()).toHaveLength(1);
  });

  it.each([
    ["cannot tell about it", "cannot-tell", "refused"],
    ["refuses it too", "refused", "refused"],
    ["accepts ours still", "accepted", "accepted"],
    ["cannot tell about ours", "accepted", "cannot-tell"],
  ] as const)("that %s is not followed", async (_what, found, ours) => {
    changeThere();
    verdicts = new Map<string, ProbeVerdict>([
      [BY_HAND, found],
      [OURS, ours],
    ]);
    await look();
    expect(await taken()).toEqual([]);
    expect(client.values.get("TOKEN")).toBe(OURS);
  });

  it("is one only where the configuration says so", async () => {
    await isAuthority(false);
    changeThere();
    await look();
    expect(asked).toEqual([]);
    expect(await taken()).toEqual([]);
  });

  it("that went back to an older value of ours is drift, and healed as such", async () => {
    changeThere();
    await look();
    gateway.values.set("TOKEN", OURS);
    verdicts = new Map<string, ProbeVerdict>([
      [OURS, "accepted"],
      [BY_HAND, "refused"],
    ]);
    await look();
    expect(await taken()).toHaveLength(1);
  });

  it("no value that is known already is taken over, whoever brings it", async () => {
    changeThere();
    await look();
    const [id = ""] = await kit.targetIds("gateway");
    const [binding] = await kit.context.store.read.targets.bindings(id);
    if (binding === undefined) expect.fail("no binding");
    for (const value of [OURS, BY_HAND]) {
      const found = SecretValue.of(value);
      expect(
        await acceptFromAuthority(process(), { target: { id, name: "gateway" }, binding, found }),
      ).toBeNull();
    }
    expect(await taken()).toHaveLength(1);
  });

  it.each(["short", "x".repeat(70_000)])("whose place holds no token is not followed (%#)", async (value) => {
    changeThere(value);
    await look();
    expect(await taken()).toEqual([]);
  });

  it("of looks that race, one takes it over", async () => {
    changeThere();
    await Promise.all(Array.from({ length: 5 }, onlyLook));
    expect(await taken()).toHaveLength(1);
  });
});
