/**
 * Law 3, rulings 7 and 29, at an agent: what it has taken is told with each request, so that a store that was set back
 * hears of it; it keeps what it has (law 10), and takes a new epoch with the signed entry of a person's word alone.
 *
 * Server and agent are the product's own functions on both sides, with the agent's real host beneath.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LocalHost } from "../../src/adapters/hosts/local/local-host.ts";
import { applyToFiles } from "../../src/adapters/placements/placement.ts";
import { agentKind } from "../../src/adapters/targets/agent/target.ts";
import { serveBundle } from "../../src/app/agents/bundle/serve-bundle.ts";
import { recordReport } from "../../src/app/agents/reports/record-report.ts";
import { beginEpoch } from "../../src/app/epoch/begin-epoch.ts";
import { viewEpoch } from "../../src/app/epoch/view-epoch.ts";
import { openBundleKey } from "../../src/app/orders/store-keys.ts";
import { viewStatus } from "../../src/app/status/status.ts";
import type { Order } from "../../src/core/order.ts";
import { SecretValue } from "../../src/core/secret-value.ts";
import type { AgentRecord } from "../../src/core/store/agents.ts";
import { openBundle } from "../../src/edges/agent/apply/open-bundle.ts";
import { type Identity, newKeys } from "../../src/edges/agent/identity/identity.ts";
import { leadTo, signEpoch } from "../../src/protocol/agent/epoch.ts";
import { newSigningKey, publicPart } from "../../src/protocol/agent/keys.ts";
import type { Bundle } from "../../src/protocol/agent/messages.ts";
import { useDatabase } from "../support/database.ts";
import { TESTER } from "../support/loop-kit.ts";
import { FACTS } from "../support/played-agent.ts";
import { type Life, Lives, never } from "./lives.ts";

const database = useDatabase();

describe("a store that was set back, at an agent", () => {
  let lives: Lives;
  let first: Life;
  let home: string;
  let identity: Identity;
  let accepted: Order | null;

  beforeEach(async () => {
    home = mkdtempSync(join(realpathSync(tmpdir()), "lockstep-set-back-"));
    accepted = null;
    lives = new Lives(database(), [agentKind]);
    ({ first } = lives);
    await lives.begin();
    const file = join(home, "env");
    const raw = { agent: {}, files: [{ path: file, format: "dotenv" }] };
    identity = await enrolled(await lives.place("mini", { kind: agentKind, raw, file }));
    for (const value of ["value-1", "value-2"]) await rotate(first, value);
  });
  afterEach(async () => {
    await lives.end();
    rmSync(home, { recursive: true, force: true });
  });

  async function enrolled(targetId: string): Promise<Identity> {
    const keys = newKeys();
    const enrolmentId = randomUUID();
    const agentId = await first.context.store.transaction(async (tx) => {
      await tx.agents.invite({
        id: enrolmentId,
        targetId,
        lookupHash: enrolmentId,
        macKeySealed: await first.context.sealer.seal("a code", enrolmentId),
        reusable: false,
        replaces: false,
        actor: TESTER,
        livesMs: 60_000,
      });
      const id = await tx.agents.add({
        targetId,
        enrolmentId,
        shortLived: false,
        signKey: publicPart(keys.signKey),
        encryptKey: publicPart(keys.encryptKey),
        challengeHash: "",
        facts: FACTS,
        enrolledFrom: null,
        livesMs: 60_000,
      });
      await tx.agents.activate(id);
      return id;
    });
    return {
      ...keys,
      v: 1,
      url: "http://127.0.0.1:1",
      tlsKeyDigest: null,
      bundleKey: publicPart(await openBundleKey(first.context)),
      storeId: first.context.storeId,
      epoch: 1,
      agentId,
      target: "mini",
      environment: "production",
      idleLifeSeconds: null,
      enrolledAt: new Date().toISOString(),
    };
  }

  async function agentOf({ context }: Life): Promise<AgentRecord> {
    const found = await context.store.read.agents.find(identity.agentId);
    if (found === null) throw new Error("no agent");
    return found;
  }

  /** Asks, and opens what comes as the agent does. */
  async function ask(life: Life, told = accepted): Promise<Bundle> {
    const nonce = randomBytes(16).toString("base64url");
    const known =
      told === null ? null : { epoch: told.epoch, generation: told.generation, digest: told.digest };
    const request = { v: 1 as const, nonce, have: null, accepted: known, facts: FACTS };
    const { sealed } = await serveBundle(life.context, await agentOf(life), request);
    const answer = await openBundle(sealed, { identity, nonce, accepted });
    if (answer.kind !== "bundle") throw new Error("nothing new");
    return answer;
  }

  async function take(life: Life, bundle: Bundle): Promise<void> {
    const { storeId, epoch, generation, orderDigest: digest } = bundle;
    accepted = { storeId, epoch, generation, digest };
    const host = new LocalHost({ environment: { HOME: home, PATH: process.env["PATH"] ?? "" } });
    const set = bundle.slots.map(({ placement, key, value }) => ({
      placement,
      key,
      value: SecretValue.of(value),
    }));
    const files = [{ path: join(home, "env"), format: "dotenv" as const, mode: "0600" }];
    await applyToFiles(host, files, { set, unset: [] }, accepted, never);
    await report(life, bundle);
  }

  async function report(life: Life, bundle: Bundle): Promise<void> {
    const items = bundle.slots.map(({ bindingId, secretId, slot, placement, key, version }) => ({
      ...{ bindingId, secretId, slot, placement, key, version },
      action: "unchanged" as const,
      found: { kind: "version" as const, version },
    }));
    const before = items.map((item) => ({
      ...item,
      action: "set" as const,
      found: { kind: "absent" as const },
    }));
    await recordReport(life.context, await agentOf(life), {
      v: 1,
      epoch: bundle.epoch,
      generation: bundle.generation,
      orderDigest: bundle.orderDigest,
      digest: bundle.digest,
      look: null,
      push:
        bundle.pushId === null ? null : { pushId: bundle.pushId, outcome: "applied", before, error: null },
      seen: items,
      units: [],
      refused: [],
      incidents: [],
      facts: FACTS,
    });
  }

  async function rotate(life: Life, value: string): Promise<void> {
    await lives.kit.set("AUTH", value, life.context);
    await lives.kit.drain(life.context);
    await take(life, await ask(life));
    await lives.kit.drain(life.context);
  }

  const stored = () => /^AUTH='?([^'\n]*)/m.exec(readFileSync(join(home, "env"), "utf8"))?.[1];
  const state = async (life: Life) => (await viewStatus(life.context, {})).secrets[0]?.bindings[0]?.state;
  const setBack = (life: Life) => life.context.store.read.meta.setBack();
  const REFUSED = { code: "STORE_SET_BACK" };

  it("gets nothing from it, keeps what it has, and the place is `unreadable`, not `in-sync`", async () => {
    const back = await lives.copy();
    await rotate(first, "value-3");
    expect(await state(back)).toBe("in-sync");
    await expect(ask(back)).rejects.toMatchObject(REFUSED);
    expect(await setBack(back)).toMatchObject({ target: "mini", by: "report" });
    expect(await state(back)).toBe("unreadable");
    // Also without having said how far it came: an agent of an earlier release, or a record that was lost.
    await expect(ask(back, null)).rejects.toMatchObject(REFUSED);
    expect([stored(), await state(first)]).toEqual(["value-3", "in-sync"]);
  });

  it("is heard by its report as well", async () => {
    const back = await lives.copy();
    await lives.kit.set("AUTH", "value-3", first.context);
    const newer = await ask(first);
    await take(first, newer);
    await expect(report(back, newer)).rejects.toMatchObject(REFUSED);
    expect(await setBack(back)).toMatchObject({ by: "report" });
  });

  it("drops a bundle of the number that it took with something else in it", async () => {
    const back = await lives.copy();
    await rotate(first, "value-3");
    await lives.kit.set("AUTH", "another-3", back.context);
    // It does not say what it took: then it is the agent itself that refuses.
    await expect(ask(back, null)).rejects.toMatchObject({
      code: "BUNDLE_REFUSED",
      message: expect.stringContaining("accepted before with something else"),
    });
    expect(stored()).toBe("value-3");
  });

  it("is not stopped by an agent that makes an order up: only its own report is refused", async () => {
    const bundle = await ask(first);
    for (const orderDigest of ["f".repeat(64), null]) {
      const made = { ...bundle, generation: 999, orderDigest };
      await expect(report(first, made)).rejects.toMatchObject({ code: "ORDER_REFUSED" });
    }
    expect(await setBack(first)).toBeNull();
    expect(await state(first)).toBe("unreadable");
    await report(first, bundle);
    expect(await state(first)).toBe("in-sync");
  });

  it("takes a new epoch with the signed entry alone (ruling 7), in which unknown values are not ours", async () => {
    const back = await lives.copy();
    const forged = await lives.copy();
    await rotate(first, "value-3");
    await expect(ask(back)).rejects.toMatchObject(REFUSED);
    expect((await viewEpoch(back.context, never)).setBack).toMatchObject({ target: "mini", by: "report" });

    // A copy whose database somebody changed has the same bundle key, and nobody's word.
    await forged.pool.query("update store_meta set epoch = 2");
    await expect(ask(forged)).rejects.toMatchObject({
      code: "BUNDLE_REFUSED",
      message: expect.stringContaining("no signed entry"),
    });

    await beginEpoch(back.context, TESTER, { reason: "restored from Monday" });
    const bundle = await ask(back);
    expect(bundle).toMatchObject({ epoch: 2, slots: [{ version: 2, owned: false, takeOver: false }] });
    expect(bundle.epochs).toHaveLength(1);
    expect(stored()).toBe("value-3");
    accepted = { ...identity, epoch: 2, generation: bundle.generation, digest: bundle.orderDigest };
    await expect(ask(first)).rejects.toMatchObject(REFUSED);
  });
});

describe("the entries of epochs", () => {
  const key = newSigningKey();
  const storeId = "0b9f1a52-6c1d-4a7e-9d57-4a1c2e3f5a6b";
  const at = "2026-11-30T09:00:00.000Z";
  const entry = (epoch: number, changes: object = {}, by = key) =>
    signEpoch(
      { v: 1, kind: "epoch", storeId, epoch, previous: epoch - 1, at, reason: "restored", ...changes },
      by,
    );
  /** Another reason under the same signature. */
  const changed = async (): Promise<string> => {
    const [head = "", , signature = ""] = (await entry(2)).split(".");
    const [, content = ""] = (await entry(2, { reason: "nothing" })).split(".");
    return [head, content, signature].join(".");
  };
  const way = { storeId, from: 1, to: 3, signedBy: publicPart(key) };

  it("lead from one to another when each between is there", async () => {
    expect(await leadTo([await entry(2), await entry(3)], way)).toBe(true);
    // Also with older ones before, which were taken long ago.
    expect(await leadTo([await entry(1), await entry(2), await entry(3)], way)).toBe(true);
  });

  it.each([
    ["one is left out", async () => [await entry(3)]],
    ["the last is left out", async () => [await entry(2)]],
    ["none is there", async () => []],
    ["one jumps", async () => [await entry(3, { previous: 1 })]],
    [
      "one is another store's",
      async () => [await entry(2, { storeId: crypto.randomUUID() }), await entry(3)],
    ],
    ["another key signed one", async () => [await entry(2, {}, newSigningKey()), await entry(3)]],
    ["one was changed", async () => [await changed(), await entry(3)]],
    ["they lead further", async () => [await entry(2), await entry(3), await entry(4)]],
  ])("lead nowhere when %s", async (_what, entries) => {
    expect(await leadTo(await entries(), way)).toBe(false);
  });
});
