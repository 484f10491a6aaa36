/** Secrets, tokens and what each scope may do, over the wire. */
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { isPermission } from "../../src/core/access/permissions.ts";
import { OPERATIONS } from "../../src/protocol/api.ts";
import { useDatabase } from "../support/database.ts";
import { answerOf, createHttpKit, type HttpKit } from "../support/http-kit.ts";
import { createLoopKit, type LoopKit } from "../support/loop-kit.ts";

const getDatabase = useDatabase();
let kit: LoopKit;
let http: HttpKit;

beforeAll(() => {
  kit = createLoopKit(getDatabase());
});
beforeEach(async () => {
  await kit.reset();
  http = await createHttpKit(kit.context);
});

const KEY = "/api/v1/secrets/production/API_KEY";
const set = (value: string, more: Parameters<HttpKit["ask"]>[1] = {}) =>
  http.ask(`${KEY}/set`, { method: "POST", body: { fields: { value } }, ...more });

describe("a secret", () => {
  test("is set, listed without its value, and revealed on demand, on record", async () => {
    const first = answerOf("setSecret", (await set("canary-1")).json());
    expect(first).toEqual({ secret: "API_KEY", environment: "production", version: 1, rollout: null });

    const listed = await http.ask("/api/v1/secrets");
    expect(answerOf("listSecrets", listed.json()).secrets).toMatchObject([{ name: "API_KEY", current: 1 }]);
    expect(listed.text).not.toContain("canary");

    const revealed = await http.ask(`${KEY}/reveal`, { method: "POST", body: {} });
    expect(answerOf("revealSecret", revealed.json())).toEqual({ version: 1, fields: { value: "canary-1" } });
    expect(revealed.headers["cache-control"]).toBe("no-store");

    const audit = await http.ask("/api/v1/audit?subject=API_KEY");
    expect(answerOf("listAudit", audit.json()).entries.map(({ action }) => action)).toContain(
      "secret.revealed",
    );
    expect(audit.text).not.toContain("canary");
  });

  test("is generated, and an old version destroyed", async () => {
    await set("one");
    const made = answerOf("generateSecret", (await http.ask(`${KEY}/generate`, { method: "POST" })).json());
    expect(made.version).toBe(2);
    const destroyed = await http.ask(`${KEY}/versions/1/destroy`, { method: "POST" });
    expect(destroyed.status).toBe(200);
    const { versions } = answerOf("listVersions", (await http.ask(`${KEY}/versions`)).json());
    expect(versions.map(({ version, state }) => `${version} ${state}`)).toEqual(["2 current", "1 destroyed"]);
  });

  test("marked as known to others is so once, on record, and says whether places still use it", async () => {
    await set("one");
    await set("two");
    const mark = async (version: number) =>
      http.ask(`${KEY}/versions/${version}/compromise`, { method: "POST" });
    expect(answerOf("compromiseVersion", (await mark(2)).json())).toMatchObject({
      version: 2,
      isInUse: true,
    });
    expect(answerOf("compromiseVersion", (await mark(1)).json())).toMatchObject({ isInUse: false });
    await mark(2);
    expect((await mark(9)).json()).toMatchObject({ code: "NOT_FOUND" });
    const { versions } = answerOf("listVersions", (await http.ask(`${KEY}/versions`)).json());
    expect(versions.every(({ compromisedAt }) => compromisedAt !== null)).toBe(true);
    const audit = await http.ask("/api/v1/audit?subject=API_KEY");
    const marks = answerOf("listAudit", audit.json()).entries.filter(
      ({ action }) => action === "version.compromised",
    );
    expect(marks).toHaveLength(2);
  });

  test("with a wrong body is refused without quoting a value", async () => {
    const answer = await http.ask(`${KEY}/set`, { method: "POST", body: { fields: { value: ["canary"] } } });
    expect(answer.json()).toMatchObject({ code: "INPUT_INVALID" });
    expect(answer.text).not.toContain("canary");
  });

  test("set twice under one key is one version; what is kept of the request holds no value", async () => {
    const headers = { "idempotency-key": "the-same-key-twice" };
    await set("canary-1", { headers });
    const again = answerOf("setSecret", (await set("canary-1", { headers })).json());
    expect(again.version).toBe(1);
    const rows = await kit.rows("select request_hmac, response::text from idempotency");
    expect(JSON.stringify(rows)).not.toContain("canary");
  });

  test("is not revealed again from a kept answer", async () => {
    await set("canary-1");
    const request = { method: "POST", body: {}, headers: { "idempotency-key": "reveal-me-twice" } } as const;
    await http.ask(`${KEY}/reveal`, request);
    const again = await http.ask(`${KEY}/reveal`, request);
    expect(again.json()).toMatchObject({ code: "IDEMPOTENCY_REUSED" });
    expect(JSON.stringify(await kit.rows("select response::text from idempotency"))).not.toContain("canary");
  });
});

describe("scopes", () => {
  test("a viewer sees, and cannot change or reveal", async () => {
    await set("one");
    const token = await http.token("viewer");
    expect((await http.ask("/api/v1/status", { token })).status).toBe(200);
    expect((await set("two", { token })).status).toBe(403);
    expect((await http.ask(`${KEY}/reveal`, { method: "POST", body: {}, token })).status).toBe(403);
  });

  test("an operator rotates what exists, and neither reads nor chooses values", async () => {
    await set("one");
    const token = await http.token("operator");
    expect((await http.ask(`${KEY}/generate`, { method: "POST", token })).status).toBe(200);
    expect((await set("two", { token })).status).toBe(403);
    expect((await http.ask(`${KEY}/reveal`, { method: "POST", body: {}, token })).status).toBe(403);
    expect((await http.ask("/api/v1/apply", { method: "POST", body: {}, token })).status).toBe(403);
  });

  test("a token is shown once and listed without its secret part", async () => {
    const body = { name: "ci", scopes: ["viewer"], expiresInMs: 3_600_000 };
    const made = answerOf("createToken", (await http.ask("/api/v1/tokens", { method: "POST", body })).json());
    const listed = await http.ask("/api/v1/tokens");
    expect(answerOf("listTokens", listed.json()).tokens.map(({ name }) => name)).toContain("ci");
    // The secret part is everything after the second "_": base64url holds that sign too.
    const secret = made.token.split("_").slice(2).join("_");
    expect(secret.length).toBeGreaterThan(30);
    expect(listed.text).not.toContain(secret);
    expect((await http.ask("/api/v1/status", { token: made.token })).status).toBe(200);
  });

  test.each(Object.entries(OPERATIONS))("%s names a permission that exists", (_id, { permission }) => {
    expect(isPermission(permission)).toBe(true);
  });
});
