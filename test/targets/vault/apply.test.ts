/** What a write does to a map in KV v2: what is ours changes, what is foreign comes back as it was, or nothing is written. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { changed } from "../../../src/adapters/targets/vault/secret/map.ts";
import { formatOrder } from "../../../src/core/order.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { address, CANARY, change, failure, MOUNT, never, order, PATH, seen, VaultKit } from "./kit.ts";

const kit = new VaultKit();
const AT = `${MOUNT}/data/${PATH}`;
const WRITES = { method: "POST", path: AT };

beforeEach(() => kit.start());
afterEach(() => kit.stop());

const apply = (values: Readonly<Record<string, string>>, generation = 1, unset: readonly string[] = []) =>
  kit.open().apply(change(values, unset), order(generation), never);

describe("a write", () => {
  it("carries keys and mark in one map, by check-and-set, and nothing that a careful client does not do", async () => {
    await apply({ AUTH: "one" });
    expect(kit.stored()).toEqual({ data: { AUTH: "one", LOCKSTEP_REV: formatOrder(order(1)) }, version: 1 });
    expect(kit.vault.offences).toEqual([]);
    expect(await apply({ AUTH: "one" })).toEqual({ outcome: "unchanged" });
    expect(kit.stored()?.version).toBe(1);
    // A newer order with the same content renews the mark.
    expect(await apply({ AUTH: "one" }, 2)).toEqual({ outcome: "changed" });
    expect(kit.stored()?.data["LOCKSTEP_REV"]).toBe(formatOrder(order(2)));
  });

  it("takes away keys of ours alone, the mark with the last, and leaves an empty map", async () => {
    kit.put({ THEIRS: "1" });
    await apply({ ONE: "1", TWO: "2" });
    await apply({}, 2, ["ONE"]);
    expect(kit.stored()?.data).toEqual({ THEIRS: "1", TWO: "2", LOCKSTEP_REV: formatOrder(order(2)) });
    await kit.vault.request("POST", AT, { data: { TWO: "2", LOCKSTEP_REV: formatOrder(order(2)) } });
    await apply({}, 3, ["TWO"]);
    expect(kit.stored()?.data).toEqual({});
    // Nothing there to take away, and nothing is made of it.
    kit.vault.request("DELETE", `${MOUNT}/metadata/${PATH}`);
    expect(await kit.open({ elsewhere: true }).apply(change({}, ["ONE"]), order(4), never)).toEqual({
      outcome: "unchanged",
    });
    expect(kit.stored()).toBeNull();
  });

  it.each([
    ["deleted", "DELETE", AT, undefined],
    ["destroyed", "POST", `${MOUNT}/destroy/${PATH}`, { versions: [2] }],
  ])("over a %s version goes on from its number, and says so before", async (what, method, path, body) => {
    await apply({ AUTH: "one" });
    await apply({ AUTH: "two" }, 2);
    kit.vault.request(method, path, body);
    const target = kit.open();
    expect(await seen(target, "AUTH")).toEqual([
      { state: "absent", why: expect.stringContaining(`version 2 of the path was ${what}`) },
    ]);
    await target.apply(change({ AUTH: "three" }), order(3), never);
    expect(kit.stored()).toMatchObject({ data: { AUTH: "three" }, version: 3 });
  });

  it("begins anew where all of it was deleted with its metadata", async () => {
    for (const generation of [1, 2, 3]) await apply({ AUTH: String(generation) }, generation);
    kit.vault.request("DELETE", `${MOUNT}/metadata/${PATH}`);
    kit.put({ THEIRS: "1" });
    await apply({ AUTH: "four" }, 4);
    expect(kit.stored()).toMatchObject({ data: { AUTH: "four", THEIRS: "1" }, version: 2 });
  });

  it("property: what is foreign stays as it is, whatever it is", async () => {
    const foreign = fc.dictionary(
      fc
        .string({ unit: "grapheme", minLength: 1, maxLength: 12 })
        .filter((key) => !["A", "B", "LOCKSTEP_REV"].includes(key)),
      fc.jsonValue({ depthSize: "small" }),
      { maxKeys: 6 },
    );
    const ours = fc.record({
      A: fc.string({ unit: "grapheme" }),
      B: fc.string({ unit: "binary" }).filter((text) => !/\p{Surrogate}/u.test(text)),
    });
    let generation = 0;
    await fc.assert(
      fc.asyncProperty(foreign, ours, async (data, values) => {
        generation += 2;
        kit.put(data);
        const before = kit.stored();
        const refusal = await apply(values, generation).then(
          () => null,
          (error: { readonly details: { readonly key: string } }) => error.details.key,
        );
        if (refusal !== null) {
          // A number that would be rounded: then nothing at all is written.
          expect(Object.keys(data)).toContain(refusal);
          expect(kit.stored()).toEqual(before);
          return;
        }
        const { LOCKSTEP_REV: _mark, ...there } = kit.stored()?.data ?? {};
        expect(JSON.parse(JSON.stringify(there))).toEqual(JSON.parse(JSON.stringify({ ...data, ...values })));
        // Taken away again, the map is what it was.
        await apply({}, generation + 1, ["A", "B"]);
        const { LOCKSTEP_REV: _other, ...left } = kit.stored()?.data ?? {};
        expect(JSON.stringify(left)).toBe(JSON.stringify(before?.data));
      }),
      { numRuns: 25 },
    );
  });

  it("keeps a foreign `__proto__`, which programs like to lose", () => {
    const data = JSON.parse('{"__proto__": {"x": 1}, "constructor": "c", "A": "1"}');
    const next = changed(data, { set: [{ ...address("A"), value: SecretValue.of("2") }], unset: [] }, null);
    expect(JSON.stringify(next)).toBe('{"__proto__":{"x":1},"constructor":"c","A":"2"}');
  });

  it.each(["12345678901234567890", "0.12345678901234567890", '[1, {"deep": 9007199254740993}]'])(
    "is refused over a foreign number that would be rounded: %s",
    async (number) => {
      const body = `{"data":{"data":{"serial":${number},"AUTH":"${CANARY}"},"metadata":{"version":4,"created_time":"2026-01-02T03:04:05.6Z","deletion_time":"","destroyed":false}}}`;
      kit.vault.fault({ method: "GET", path: AT, times: "always" }, { kind: "answer", status: 200, body });
      const error = await failure(apply({ OTHER: "new" }));
      expect(error).toMatchObject({ code: "VALUE_INVALID", details: { key: "serial" } });
      expect(`${error.message} ${error.hint}`).toContain('"serial"');
      expect(error.hint).toContain("as text");
      expect(JSON.stringify(error) + error.message).not.toContain(CANARY);
      const { keys } = await kit.open().observe([address("OTHER")], never);
      expect(keys[0]?.obstacle).toMatchObject({ code: "VALUE_INVALID" });
      expect(kit.writes()).toBe(0);
    },
  );

  it("tells a bounded part of a foreign key's name, and nothing in it that steers a terminal", async () => {
    const key = `\u202e\u009b31m${"k".repeat(1_000_000)}`;
    const body = `{"data":{"data":{"${key}":12345678901234567890},"metadata":{"version":4,"created_time":"2026-01-02T03:04:05.6Z","deletion_time":"","destroyed":false}}}`;
    kit.vault.fault({ method: "GET", path: AT, times: "always" }, { kind: "answer", status: 200, body });
    const { keys } = await kit.open().observe([address("OTHER")], never);
    expect(JSON.stringify(keys).length).toBeLessThan(2_000);
    const { checks } = await kit.open().probe(never);
    const told = checks.map(({ message }) => message).join("\n");
    expect(told).toContain("would be rounded");
    expect(told.length).toBeLessThan(3_000);
    expect(told).not.toMatch(/[\u202e\u009b]/);
  });

  it("does not take a value that is no text for one of ours", async () => {
    kit.put({ AUTH: 5, LIST: ["x"], MAP: { a: 1 }, NULL: null, YES: true });
    const found = await seen(kit.open(), "AUTH", "LIST", "MAP", "NULL", "YES");
    expect(found.map((one) => (one.state === "unrecognised" ? one.nearly : one.state))).toEqual(
      ["a number", "a list", "a map", "null", "a boolean"].map(
        (kind) => `it is ${kind} in the map there, and no text`,
      ),
    );
  });

  it("is refused where the map would hold more keys than every server takes", async () => {
    kit.put(Object.fromEntries(Array.from({ length: 449 }, (_, at) => [`K${at}`, "1"])));
    const error = await failure(apply({ NEW: "1" }));
    expect(error).toMatchObject({ code: "VALUE_INVALID" });
    expect(error.message).toContain("451 keys");
    expect(kit.writes()).toBe(0);
    // What stands there already may change.
    await apply({ K0: "2" }, 2, ["K1"]);
    expect(kit.stored()?.data["K0"]).toBe("2");
  });

  it("labels the path for people once, and minds nothing that hinders it", async () => {
    const labelled = () => kit.open({ vault: { label: true } }).apply(change({ AUTH: "x" }), order(1), never);
    kit.vault.request("POST", `${MOUNT}/metadata/${PATH}`, { custom_metadata: { owner: "team" } });
    await labelled();
    const { body } = kit.vault.request("GET", `${MOUNT}/metadata/${PATH}`);
    expect(body).toMatchObject({ data: { custom_metadata: { owner: "team", managed_by: "lockstep" } } });
    kit.vault.fault({ path: `${MOUNT}/metadata/*`, times: "always" }, { kind: "policy-denied" });
    await kit.open({ elsewhere: true, vault: { label: true } }).apply(change({ AUTH: "y" }), order(2), never);
    expect(kit.stored()?.data["AUTH"]).toBe("y");
  });
});

describe("another write in between", () => {
  it("of somebody else is kept, and ours comes over it", async () => {
    await apply({ AUTH: "one" });
    const held = kit.vault.fault(WRITES, { kind: "held", at: "request" });
    const ours = apply({ AUTH: "two" }, 2);
    await held.hit();
    kit.put({ ...kit.stored()?.data, THEIRS: "kept" });
    held.release();
    expect(await ours).toEqual({ outcome: "changed" });
    expect(kit.stored()).toMatchObject({ data: { AUTH: "two", THEIRS: "kept" }, version: 3 });
  });

  it("that bears a mark nobody has judged is looked at again by whoever planned ours", async () => {
    await apply({ AUTH: "one" });
    const target = kit.open();
    await target.observe([address("AUTH")], never);
    await apply({ OTHER: "1" }, 2);
    expect((await failure(target.apply(change({ AUTH: "three" }), order(3), never))).code).toBe(
      "ORDER_REFUSED",
    );
    // Also one that went.
    await target.observe([address("AUTH")], never);
    kit.put({ AUTH: "x" });
    expect((await failure(target.apply(change({ AUTH: "four" }), order(4), never))).code).toBe(
      "ORDER_REFUSED",
    );
    await target.observe([address("AUTH")], never);
    await target.apply(change({ AUTH: "five" }), order(5), never);
    expect(kit.stored()?.data["AUTH"]).toBe("five");
  });

  it("every time ends as a conflict, and leaves what stands there", async () => {
    let others = 0;
    kit.vault.fault(
      {
        ...WRITES,
        times: "always",
        when: () => {
          others += 1;
          kit.put({ others: String(others) });
          return false;
        },
      },
      { kind: "policy-denied" },
    );
    expect((await failure(apply({ AUTH: CANARY }))).code).toBe("WRITE_CONFLICT");
    expect(kit.stored()?.data).toEqual({ others: String(others) });
  });

  it("of another store names what to do", async () => {
    const theirs = { ...order(1), storeId: "99999999-2222-4333-8444-555555555555" };
    kit.put({ AUTH: "theirs", LOCKSTEP_REV: formatOrder(theirs) });
    for (const marker of [true, false]) {
      const error = await failure(kit.open({ marker }).apply(change({ AUTH: "ours" }), order(9), never));
      expect(error).toMatchObject({ code: "ORDER_REFUSED", hint: expect.stringContaining("LOCKSTEP_REV") });
    }
    expect(kit.stored()?.data["AUTH"]).toBe("theirs");
  });
});

describe("without the mark", () => {
  it("says that it is unfenced, leaves none, and still writes by check-and-set", async () => {
    const kind = kit.kind(false);
    const { config } = kind.parse(kit.raw());
    expect(kind.capabilities(config)).toMatchObject({
      conditionalWrite: false,
      readsLag: true,
      inFlightMs: 95_000,
    });
    expect(kit.kind().capabilities(config)).toMatchObject({ conditionalWrite: true, inFlightMs: 0 });
    await kit.open({ marker: false }).apply(change({ AUTH: "one" }), order(1), never);
    expect(kit.stored()?.data).toEqual({ AUTH: "one" });
    expect(kit.vault.offences).toEqual([]);
  });
});

describe("an answer that does not come", () => {
  it.each([
    ["cut, and done", { kind: "cut", executed: true }, "new"],
    ["cut, and not done", { kind: "cut", executed: false }, "old"],
    ["an audit device that failed after the work", { kind: "audit-blocked", executed: true }, "new"],
    ["a page of a proxy", { kind: "html", executed: true }, "new"],
    ["a bad gateway", { kind: "bad-gateway", executed: true }, "new"],
    ["a standby whose forward broke", { kind: "standby-redirect", executed: true }, "new"],
    ["no active node", { kind: "no-active-node", executed: false }, "old"],
  ] as const)("%s: is unknown, is read back, and comes to rest", async (_what, fault, stands) => {
    await apply({ AUTH: "old" });
    kit.vault.fault(WRITES, fault);
    const target = kit.open();
    const error = await failure(target.apply(change({ AUTH: "new" }), order(2), never));
    expect(["TARGET_OUTCOME_UNKNOWN", "TARGET_UNAVAILABLE"]).toContain(error.code);
    const [found] = await seen(target, "AUTH");
    expect(found?.state === "present" ? found.value.reveal() : null).toBe(stands);
    await target.apply(change({ AUTH: "new" }), order(2), never);
    expect(kit.stored()?.data["AUTH"]).toBe("new");
  });

  it("of a write that lands late changes nothing that came after it", async () => {
    await apply({ AUTH: "one" });
    const held = kit.vault.fault(WRITES, { kind: "held", at: "request" });
    const controller = new AbortController();
    const late = failure(kit.open().apply(change({ AUTH: "late" }), order(2), controller.signal));
    await held.hit();
    controller.abort();
    expect((await late).code).toBe("TARGET_OUTCOME_UNKNOWN");
    await apply({ AUTH: "three" }, 3);
    const answered = kit.vault.calls.answered(3, WRITES);
    held.release();
    await answered;
    expect(kit.stored()?.data["AUTH"]).toBe("three");
  });
});

describe("a write that nobody answered", () => {
  it("cannot land any more, although what stands there is wanted again and nothing else is written", async () => {
    await apply({ AUTH: "one" });
    const held = kit.vault.fault(WRITES, { kind: "held", at: "request" });
    const target = kit.open({ vault: { requestTimeoutMs: 2_000 } });
    expect((await failure(target.apply(change({ AUTH: "late" }), order(2), never))).code).toBe(
      "TARGET_OUTCOME_UNKNOWN",
    );
    const answered = kit.vault.calls.answered(3, WRITES);
    held.release();
    await answered;
    expect(kit.stored()?.data).toEqual({ AUTH: "one", LOCKSTEP_REV: formatOrder(order(1)) });
  });

  it("makes nothing where nothing stood", async () => {
    kit.vault.fault(WRITES, { kind: "cut", executed: false });
    expect((await failure(apply({ AUTH: "one" }))).code).toBe("TARGET_OUTCOME_UNKNOWN");
    expect(kit.stored()).toBeNull();
  });
});

describe("a node that lags", () => {
  it("is asked again, and its old answer is neither drift nor what a write is built on", async () => {
    await apply({ AUTH: "one" });
    kit.vault.staleReads({ reads: 2 }, MOUNT);
    const target = kit.open();
    await target.apply(change({ AUTH: "two" }), order(2), never);
    expect(await seen(target, "AUTH")).toMatchObject([{ state: "present" }]);
    const [found] = await seen(target, "AUTH");
    expect(found?.state === "present" ? found.value.reveal() : null).toBe("two");
  });

  it("for longer is for later", async () => {
    await apply({ AUTH: "one" });
    kit.vault.staleReads({ ms: 3_600_000 }, MOUNT);
    const target = kit.open();
    await target.apply(change({ AUTH: "two" }), order(2), never);
    const error = await failure(target.observe([address("AUTH")], never));
    expect(error).toMatchObject({ code: "TARGET_UNAVAILABLE", retryAfterMs: 2_000 });
    expect(error.message).toContain("does not show the last write yet");
    // Another process cannot know, and its write is refused by the number.
    const other = kit.open({ elsewhere: true });
    expect((await failure(other.apply(change({ AUTH: "three" }), order(3), never))).code).toBe(
      "WRITE_CONFLICT",
    );
    expect(kit.stored() ?? null).not.toBeNull();
  });
});
