/**
 * Ruling 21: whatever stands in a request's path, query or body, the answer is one that a person can act on, and never
 * 500. Every operation of the API is asked with every kind of text that Postgres cannot keep, or that is far too long.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OPERATIONS } from "../../src/protocol/api.ts";
import { FIRST_RUN_OPERATIONS } from "../../src/protocol/api-first-run.ts";
import type { Operation } from "../../src/protocol/api-operation.ts";
import { useDatabase } from "../support/database.ts";
import { createHttpKit, type HttpKit } from "../support/http-kit.ts";
import { createLoopKit } from "../support/loop-kit.ts";

const getDatabase = useDatabase();
let http: HttpKit;

beforeAll(async () => {
  const { context } = createLoopKit(getDatabase());
  const { storeId, sealer, store } = context;
  const keyCheck = await sealer.seal("the store's own", "store");
  await store.transaction((tx) => tx.meta.create({ storeId, keyCheck, fingerprintKeySealed: keyCheck }));
  http = await createHttpKit(context);
});
afterAll(() => http.server.close());

const HOSTILE: readonly (readonly [what: string, text: string])[] = [
  ["a NUL", "a\0b"],
  ["half of a character", "a\ud800b"],
  ["8,000 characters", "x".repeat(8_000)],
  ["a number that no column holds", "99999999999999999999"],
  ["a negative number", "-1"],
  ["what is no id", "../../etc"],
  ["nothing", ""],
];

/** An address cannot hold half of a character: there it is the one that stands for what cannot be read. */
const wellFormed = (text: string): string => text.replaceAll(/\p{Surrogate}/gu, "\ufffd");

const fill = (path: string, text: string): string =>
  `/api/v1${path.replaceAll(/:(\w+)/g, encodeURIComponent(wellFormed(text)))}`;

/** Not those that dial out before they look into the store: they would dial out here. */
const operations = Object.entries(OPERATIONS).filter(
  ([id]) => !(id in FIRST_RUN_OPERATIONS) && id !== "lookAtHostKey",
) as readonly (readonly [string, Operation])[];

describe.each(HOSTILE)("ruling 21: %s", (_what, text) => {
  const encoded = encodeURIComponent(wellFormed(text));

  test("in a path is no failure of ours", async () => {
    const answered: string[] = [];
    for (const [id, { method, path }] of operations) {
      if (!path.includes(":")) continue;
      const { status } = await http.ask(fill(path, text), {
        method,
        ...(method === "POST" ? { body: {} } : {}),
      });
      answered.push(`${id} ${status}`);
    }
    expect(answered.filter((line) => / (?:5\d\d)$/.test(line))).toEqual([]);
  });

  test("in a query is no failure of ours", async () => {
    const answered: string[] = [];
    for (const [id, { method, path, query }] of operations) {
      for (const name of [...Object.keys(query.shape), "unknown"]) {
        const { status } = await http.ask(`${fill(path, "A")}?${name}=${encoded}`, { method });
        answered.push(`${id} ${name} ${status}`);
      }
    }
    expect(answered.filter((line) => / (?:5\d\d)$/.test(line))).toEqual([]);
  });

  test("in a body is no failure of ours", async () => {
    const answered: string[] = [];
    for (const [id, { method, path, body }] of operations) {
      if (method !== "POST" || body === null || !("shape" in body)) continue;
      for (const name of Object.keys(body.shape as object)) {
        for (const value of [text, [text], { [text]: text }]) {
          const { status } = await http.ask(fill(path, "A"), { method, body: { [name]: value } });
          answered.push(`${id} ${name} ${status}`);
        }
      }
    }
    expect(answered.filter((line) => / (?:5\d\d)$/.test(line))).toEqual([]);
  });
});

test.each([
  ["/api/v1/status?environment=%00"],
  ["/api/v1/secrets/production/A%00B/versions"],
  [`/api/v1/status?environment=${"x".repeat(8_000)}`],
  [`/api/v1/secrets/production/${"x".repeat(8_000)}/versions`],
])("ruling 21: %.40s is refused with 400 and a code", async (url) => {
  const answer = await http.ask(url);
  expect(answer.status).toBe(400);
  expect(answer.headers["content-type"]).toContain("application/problem+json");
  expect(answer.json()).toMatchObject({ code: "REQUEST_MALFORMED" });
});
