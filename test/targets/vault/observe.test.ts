/** Looks: no value is read again while the version is the same, places share their reads, and other paths are found. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SeenPlaces } from "../../../src/adapters/targets/vault/secret/seen-places.ts";
import { createSharedReads } from "../../../src/app/observe/observe-together.ts";
import type { Target } from "../../../src/core/ports/target.ts";
import { CANARY, MOUNT, never, PATH, seen, VaultKit } from "./kit.ts";

const kit = new VaultKit();
const DATA = { method: "GET", path: `${MOUNT}/data/${PATH}` };
const METADATA = { method: "GET", path: `${MOUNT}/metadata/${PATH}` };

beforeEach(() => kit.start());
afterEach(() => kit.stop());

const background = (): Target =>
  kit.open({ context: { purpose: "background", keepCredentials: async () => {} } });
const reads = () => kit.vault.calls.list(DATA).length;
async function value(target: Target, key = "AUTH"): Promise<string | null> {
  const [found] = await seen(target, key);
  return found?.state === "present" ? found.value.reveal() : null;
}

describe("a look by schedule", () => {
  it("reads no value while the version is the same, and all of it once another stands there", async () => {
    kit.put({ AUTH: "one", OTHER: CANARY });
    expect([await value(background()), reads()]).toEqual(["one", 1]);
    expect([await value(background()), reads()]).toEqual(["one", 1]);
    kit.put({ AUTH: "two" });
    expect([await value(background()), reads()]).toEqual(["two", 2]);
    expect([await value(background()), reads()]).toEqual(["two", 2]);
    // A key that nobody asked for before.
    expect([await value(background(), "NEW"), reads()]).toEqual([null, 3]);
  });

  it("sees what was deleted, destroyed, or begun anew under the same number", async () => {
    kit.put({ AUTH: "one" });
    expect(await value(background())).toBe("one");
    kit.vault.request("DELETE", `${MOUNT}/data/${PATH}`);
    expect(await value(background())).toBeNull();
    kit.vault.request("POST", `${MOUNT}/undelete/${PATH}`, { versions: [1] });
    expect(await value(background())).toBe("one");
    kit.vault.request("DELETE", `${MOUNT}/metadata/${PATH}`);
    await new Promise((resolve) => setImmediate(resolve));
    kit.put({ AUTH: "anew" });
    expect(await value(background())).toBe("anew");
  });

  it("of a token that may not see the metadata reads the map, and does not ask for it again", async () => {
    kit.put({ AUTH: "one" });
    kit.vault.fault({ ...METADATA, times: "always" }, { kind: "policy-denied" });
    for (const times of [1, 2, 3]) expect([await value(background()), reads()]).toEqual(["one", times]);
    expect(kit.vault.calls.list(METADATA)).toHaveLength(1);
  });

  it("before a write always reads what stands there", async () => {
    kit.put({ AUTH: "one" });
    await value(background());
    await value(kit.open());
    expect(reads()).toBe(2);
  });

  it("of many targets at one path costs one request, and each gets its own keys alone", async () => {
    kit.put({ AUTH: "one", OTHER: "two" });
    const sharedReads = createSharedReads(never);
    const open = () =>
      kit.open({ context: { purpose: "background", sharedReads, keepCredentials: async () => {} } });
    const looks = await Promise.all([seen(open(), "AUTH"), seen(open(), "OTHER"), seen(open(), "NONE")]);
    expect(looks.map(([one]) => one?.state)).toEqual(["present", "present", "absent"]);
    expect(reads()).toBe(1);
    const kind = kit.kind();
    const { config } = kind.parse(kit.raw());
    expect(kind.checkGroup?.(config)).toBe(kind.locationKey(config, "", { environment: "e", name: "n" }));
  });

  it("keeps to bounds, and forgets the oldest", () => {
    const places = new SeenPlaces();
    const look = {
      version: 1,
      createdTime: "2026-01-01T00:00:00Z",
      keys: new Set<string>(),
      data: {},
      inexactKeys: [],
    };
    for (let at = 0; at < 1_100; at += 1) places.noteLook(`p${at}`, look);
    expect([
      places.isLookedAt("p0"),
      places.isLookedAt("p99"),
      places.isLookedAt("p100"),
      places.isLookedAt("p1099"),
    ]).toEqual([false, false, true, true]);
  });
});

describe("what is older than what was seen", () => {
  const at = (second: number, version: number) => ({
    state: "present" as const,
    version,
    createdTime: `2026-01-01T00:00:${String(second).padStart(2, "0")}.1Z`,
    data: {},
    inexactKeys: [],
  });

  it("is a node that lags, for as long as one may; numbers that begin anew are none", () => {
    let nowMs = 0;
    const places = new SeenPlaces(() => nowMs);
    expect(places.isBehind("p", at(1, 1))).toBe(false);
    places.note("p", at(9, 4));
    expect(places.isBehind("p", at(8, 3))).toBe(true);
    expect(places.isBehind("p", { state: "deleted", version: 3, createdTime: at(8, 3).createdTime })).toBe(
      true,
    );
    expect(places.isBehind("p", at(9, 4))).toBe(false);
    expect(places.isBehind("p", at(12, 1))).toBe(false);
    expect(places.isBehind("q", at(8, 3))).toBe(false);
    // Nothing at all may be from before the first write, for a moment.
    expect(places.isBehind("p", { state: "absent" })).toBe(true);
    nowMs = 6_000;
    expect(places.isBehind("p", { state: "absent" })).toBe(false);
    // A server that was restored from a copy: from then on it is what stands there.
    nowMs = 299_000;
    expect(places.isBehind("p", at(8, 3))).toBe(true);
    nowMs = 301_000;
    expect(places.isBehind("p", at(8, 3))).toBe(false);
    places.note("p", at(8, 3));
    expect(places.isBehind("p", at(8, 3))).toBe(false);
  });
});

describe("looking around", () => {
  const token = () => {
    kit.vault.policy("wide", `path "${MOUNT}/*" { capabilities = ["create", "read", "update", "list"] }`);
    return kit.vault.token({ policies: ["wide"], periodSeconds: 3_600 });
  };
  const interest = {
    keys: new Set(["AUTH"]),
    knows: (value: { reveal(): string }) => value.reveal() === "ours",
  };
  const around = async (discover: readonly string[]) => {
    const target = kit.open({ token: token(), vault: { discover } });
    const { found = [], unseen = [] } = (await target.discoverer?.discover(interest, never)) ?? {};
    return { names: found.map(({ name, key }) => `${name} ${key}`).sort(), found, unseen };
  };

  it("finds values of ours and keys of their names, below the folders that are named, and nothing else", async () => {
    kit.put({ AUTH: "ours", COPY: "ours", FOREIGN: CANARY });
    kit.put({ TOKEN: "ours" }, "team/worker");
    kit.put({ AUTH: CANARY, X: "y" }, "team/worker/deep");
    kit.put({ AUTH: 5 }, "team/number");
    kit.put({ TOKEN: "ours" }, "other/worker");
    kit.put({ TOKEN: "ours" }, "team/gone");
    kit.vault.request("DELETE", `${MOUNT}/data/team/gone`);
    const { names, found, unseen } = await around(["team"]);
    expect(names).toEqual([
      `path ${MOUNT}/${PATH} AUTH`,
      `path ${MOUNT}/${PATH} COPY`,
      `path ${MOUNT}/team/number AUTH`,
      `path ${MOUNT}/team/worker TOKEN`,
      `path ${MOUNT}/team/worker/deep AUTH`,
    ]);
    expect(unseen).toEqual([]);
    expect(JSON.stringify(found)).not.toContain(CANARY);
    const worker = found.find(({ key }) => key === "TOKEN");
    const kind = kit.kind();
    // As it is told, it can stand in lockstep.yaml.
    expect(kind.locationKey(kind.parse(worker?.config).config, "", { environment: "e", name: "n" })).toBe(
      worker?.locationKey,
    );
    expect((await around(["/"])).names).toContain(`path ${MOUNT}/other/worker TOKEN`);
    expect((await around([])).names).toEqual([`path ${MOUNT}/${PATH} AUTH`, `path ${MOUNT}/${PATH} COPY`]);
  });

  it("says a bounded part of what it did not look at, however much a server lists", async () => {
    const keys = Array.from({ length: 5_000 }, (_, count) => `a#${count}`);
    kit.vault.fault(
      { path: `${MOUNT}/metadata*`, times: "always" },
      { kind: "answer", status: 200, body: { data: { keys: [...keys, `#${"long".repeat(50_000)}\u202e`] } } },
    );
    const { unseen } = await around(["/"]);
    expect(unseen.length).toBeLessThan(110);
    expect(JSON.stringify(unseen).length).toBeLessThan(50_000);
    expect(unseen.map(({ reason }) => reason)).toContainEqual(expect.stringContaining("more names"));
    kit.vault.clearFaults();
  });

  it("says what it did not look at: rights that are missing, depth, count, names that nobody can write", async () => {
    kit.put({ AUTH: "ours" });
    kit.put({ TOKEN: "ours" }, "closed/a");
    kit.put({ TOKEN: "ours" }, "team/1/2/3/4/5/6/7/8/9");
    kit.put({ TOKEN: "ours" }, "team/hash%23tag");
    for (let count = 0; count < 510; count += 1) kit.put({ N: "1" }, `many/k${count}`);
    const narrow = kit.vault.fault(
      { path: `${MOUNT}/metadata/closed*`, times: "always" },
      { kind: "policy-denied" },
    );
    const { unseen } = await around(["team", "many", "closed"]);
    expect(narrow.hits).toBeGreaterThan(0);
    const reasons = unseen.map(({ name, reason }) => `${name}: ${reason}`).join("\n");
    expect(reasons).toContain("deeper than 8 levels");
    expect(reasons).toContain("no more than 500 paths");
    expect(reasons).toContain("plain text");
    expect(reasons).toContain(`path ${MOUNT}/closed/`);
    expect(reasons).toContain('capabilities = ["list"]');
  });
});
