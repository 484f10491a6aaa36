/** One line per situation: what the server sends, and what is made of it, for a read and for a write. */
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import {
  batchItemFailure,
  failureOf,
  lostAnswer,
  mayBeBehind,
  mayBeDeadToken,
} from "../../src/adapters/vault/errors.ts";
import type { TransitTrouble, VaultVerdict } from "../../src/adapters/vault/failure.ts";
import type { RawAnswer } from "../../src/adapters/vault/request-builder.ts";

const CANARY = "canary-51f0";

function answer(status: number, body: unknown, headers: Record<string, string> = {}): RawAnswer {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return { status, headers, text, body: typeof body === "string" ? undefined : body };
}
const errors = (...texts: string[]) => ({ errors: texts });
const wrapped = (...texts: string[]) =>
  errors(`${texts.length} error${texts.length === 1 ? "" : "s"} occurred:\n\t* ${texts.join("\n\t* ")}\n\n`);
const versioned = { request_id: "x", data: { data: null, metadata: { version: 3, destroyed: true } } };
const v1Path = {
  warnings: ["Invalid path for a versioned K/V secrets engine. See the API docs."],
  data: null,
};

const UNKNOWN = "outcome-unknown";

describe("an answer", () => {
  it.each<readonly [string, RawAnswer, VaultVerdict | null, VaultVerdict | null]>([
    ["200 with JSON", answer(200, { data: {} }), null, null],
    ["204", answer(204, ""), null, null],
    ["1 never written", answer(404, errors()), "absent", "absent"],
    ["2 deleted or destroyed", answer(404, versioned), "absent", "absent"],
    ["3 a path of version 1", answer(404, v1Path), "mount", "mount"],
    [
      "4 no such mount",
      answer(404, errors(`no handler for route "${CANARY}". route entry not found.`)),
      "mount",
      "mount",
    ],
    ["5 unsupported path", answer(404, wrapped("unsupported path")), "mount", "mount"],
    ["5 unsupported operation", answer(405, wrapped("unsupported operation")), "mount", "mount"],
    ["5 an unknown verb", answer(405, errors()), "mount", "mount"],
    [
      "6 another version",
      answer(400, errors("check-and-set parameter did not match the current version")),
      "conflict",
      "conflict",
    ],
    [
      "6 without check-and-set",
      answer(400, errors("check-and-set parameter required for this call")),
      "invalid",
      "invalid",
    ],
    ["6 without data", answer(400, errors("no data provided")), "invalid", "invalid"],
    [
      "7 upgrading",
      answer(400, errors("Upgrading from non-versioned to versioned data. This backend will be unavailable")),
      "later",
      "later",
    ],
    ["7 upgrading elsewhere", answer(400, errors("Waiting for the primary to upgrade")), "later", "later"],
    ["8 a dead token", answer(403, errors("permission denied")), "token", "token"],
    ["8 a dead token, newer", answer(403, wrapped("permission denied", "invalid token")), "token", "token"],
    ["8 no token, 1.8", answer(400, errors("missing client token")), "token", "token"],
    ["9 a policy", answer(403, wrapped("permission denied")), "permission", "permission"],
    [
      "9 a mount's look-up",
      answer(403, errors(`preflight capability check returned 403, please ensure … "${CANARY}"`)),
      "permission",
      "permission",
    ],
    [
      "12 a quota",
      answer(429, errors(`request path "${CANARY}": rate limit quota exceeded`)),
      "rate-limited",
      "rate-limited",
    ],
    ["12 a balancer's quota", answer(429, "<html>"), "rate-limited", "rate-limited"],
    ["13 sealed", answer(503, errors("Vault is sealed")), "later", "later"],
    ["13 a sealed namespace", answer(503, errors("namespace is sealed")), "later", "later"],
    [
      "13 a locked namespace",
      answer(503, errors(`API access to this namespace has been locked ${CANARY}`)),
      "later",
      "later",
    ],
    ["14 no active node", answer(503, errors("no active Vault instance found")), "later", UNKNOWN],
    ["14 no longer active", answer(503, errors("node is not active")), "later", UNKNOWN],
    [
      "14 no active node found",
      answer(500, errors("local node not active but active cluster node not found")),
      "later",
      UNKNOWN,
    ],
    ["15 behind", answer(412, errors("required index state not present")), "behind", "behind"],
    ["15 a token not known yet", answer(400, errors("error performing token check: x")), "behind", "behind"],
    ["16 a standby's redirect", answer(307, "", { location: `https://x/${CANARY}` }), "later", UNKNOWN],
    [
      "16 a redirect of something else",
      answer(302, "", { location: `https://x/${CANARY}` }),
      "protocol",
      UNKNOWN,
    ],
    ["16 path cleaning", answer(301, "<a>Moved</a>"), "protocol", UNKNOWN],
    ["17 audit, before", answer(500, wrapped("internal error")), "later", UNKNOWN],
    ["17 audit, after", answer(500, errors("internal error")), "later", UNKNOWN],
    ["18 upstream", answer(502, "<html>Bad Gateway"), "later", UNKNOWN],
    ["18 upstream too slow", answer(504, ""), "later", UNKNOWN],
    ["18 storage", answer(500, wrapped(`pq: ${CANARY}`)), "later", UNKNOWN],
    ["19 too large", answer(413, errors("http: request body too large")), "invalid", "invalid"],
    [
      "19 too large for storage",
      answer(500, wrapped("put failed due to value being too large; got 2 bytes")),
      "invalid",
      "invalid",
    ],
    [
      "19 too complex",
      answer(400, errors("refused JSON input due to high complexity")),
      "invalid",
      "invalid",
    ],
    ["20 HTML", answer(200, "<html>Sign in"), "protocol", UNKNOWN],
    ["20 nothing", answer(200, ""), "protocol", UNKNOWN],
    ["20 a list", answer(200, []), "protocol", UNKNOWN],
    ["20 refused by something else", answer(403, "<html>Forbidden"), "protocol", UNKNOWN],
    ["20 given up by something else", answer(408, ""), "protocol", UNKNOWN],
    ["20 another success", answer(202, { data: {} }), "protocol", "protocol"],
    ["21 no Transit key", answer(400, errors("encryption key not found")), "key", "key"],
    ["not initialized", answer(501, errors("x")), "later", "later"],
    ["no such namespace", answer(404, errors(`namespace not found ${CANARY}`)), "namespace", "namespace"],
    ["not in a namespace", answer(400, errors("operation unavailable in namespaces")), "mount", "mount"],
    ["labels too long", answer(400, errors("custom_metadata validation failed: x")), "invalid", "invalid"],
    ["an unknown refusal", answer(400, errors(`${CANARY}`)), "protocol", "protocol"],
  ])("%s", (_what, said, read, write) => {
    for (const [writes, verdict] of [
      [false, read],
      [true, write],
    ] as const) {
      const failure = failureOf(said, writes);
      expect(failure?.verdict ?? null).toBe(verdict);
      if (failure !== null) expect(failure.status).toBe(said.status);
      expect(inspect(failure, { depth: 9 })).not.toContain(CANARY);
      expect(JSON.stringify(failure)).not.toContain(CANARY);
    }
  });

  it("of a quota says when to ask again", () => {
    const retryAfter = (headers: Record<string, string>) =>
      failureOf(answer(429, errors(), headers), false)?.retryAfterMs;
    expect(retryAfter({ "retry-after": "7" })).toBe(7_000);
    expect(retryAfter({})).toBe(1_000);
    // A day, or a typing error of a proxy's: nobody shall wait for that, and nothing is a number that is longer.
    expect(retryAfter({ "retry-after": "86400" })).toBe(900_000);
    expect(retryAfter({ "retry-after": "9999999999" })).toBe(900_000);
    expect(retryAfter({ "retry-after": "Wed, 21 Oct" })).toBe(1_000);
  });
});

describe("what Transit says of its key", () => {
  it.each<readonly [string, TransitTrouble | null]>([
    ["encryption key not found", "missing"],
    ["ciphertext or signature version is disallowed by policy (too old)", "too-old"],
    ["invalid ciphertext: version is too new", "too-new"],
    ["refusing to use soft-deleted key", "soft-deleted"],
    ["cipher: message authentication failed", "unopened"],
    ["invalid ciphertext: no prefix", "unopened"],
    [`something new ${CANARY}`, null],
  ])("%s", (said, trouble) => {
    const failure = batchItemFailure(said);
    expect(failure).toMatchObject({ verdict: trouble === null ? "later" : "key", trouble });
    expect(inspect(failure)).not.toContain(CANARY);
    if (trouble !== null) expect(failureOf(answer(400, wrapped(said)), false)).toMatchObject({ trouble });
  });
});

it("a broken batch of Transit's is told from a broken storage", () => {
  const of = (text: string) => failureOf(answer(500, wrapped(text)), false);
  expect(of("cipher: message authentication failed")).toMatchObject({ verdict: "key", trouble: "unopened" });
  expect(of("read failed: decryption failed: cipher: message authentication failed")).toMatchObject({
    verdict: "later",
    trouble: null,
  });
});

describe("without an answer", () => {
  it.each([
    [{ trouble: "line", sent: false, message: "x" }, "later", "later"],
    [{ trouble: "line", sent: true, message: "x" }, "later", UNKNOWN],
    [{ trouble: "late", sent: true, message: "x" }, "later", UNKNOWN],
    [{ trouble: "certificate", sent: false, message: "x" }, "protocol", "protocol"],
    [{ trouble: "not-http", sent: true, message: "x" }, "protocol", UNKNOWN],
    [{ trouble: "too-large", sent: true, message: "x" }, "protocol", UNKNOWN],
  ] as const)("%j", (lost, read, write) => {
    expect(lostAnswer(lost, false)).toMatchObject({ verdict: read, status: null });
    expect(lostAnswer(lost, true)).toMatchObject({ verdict: write, status: null });
  });
});

it("a refusal is a policy's where it is wrapped and alone, and otherwise may be about the token", () => {
  expect(mayBeDeadToken(answer(403, wrapped("permission denied")))).toBe(false);
  expect(mayBeDeadToken(answer(403, errors("preflight capability check returned 403")))).toBe(false);
  expect(mayBeDeadToken(answer(403, errors("permission denied")))).toBe(true);
  expect(mayBeDeadToken(answer(403, wrapped("permission denied", "invalid token")))).toBe(true);
  expect(mayBeDeadToken(answer(400, errors("missing client token")))).toBe(true);
  expect(mayBeBehind(answer(412, errors("required index state not present")))).toBe(true);
  expect(mayBeBehind(answer(400, errors("error performing token check")))).toBe(true);
  expect(mayBeBehind(answer(403, wrapped("permission denied")))).toBe(false);
});
