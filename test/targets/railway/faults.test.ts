import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { at, CANARY, failure, never, order, set, useRailway } from "./kit.ts";

describe("when Railway misbehaves", () => {
  const kit = useRailway();
  const upsert = "variableCollectionUpsert";
  const write = () => kit.open().apply(set({ NEW: CANARY }), order(1), never);

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
      { kind: "graphql-rate-limited", operation: upsert, message: "Whoa there pal" },
      "TARGET_RATE_LIMITED",
      60_000,
    ],
    [
      "throttling inside GraphQL that says for how long",
      {
        kind: "graphql-rate-limited",
        operation: upsert,
        message: "Too many requests, try again in 2 minutes",
      },
      "TARGET_RATE_LIMITED",
      120_000,
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
      "TARGET_MISSING",
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
      "401 without GraphQL",
      { kind: "http-error", operation: upsert, status: 401 },
      "TARGET_MISSING",
      undefined,
    ],
    [
      "a page that is not there",
      { kind: "html-page", operation: upsert, status: 404 },
      "TARGET_PROTOCOL",
      undefined,
    ],
    [
      "504 that lands late",
      { kind: "gateway-timeout", operation: upsert, applied: "late" },
      "TARGET_OUTCOME_UNKNOWN",
      undefined,
    ],
    ["half an answer", { kind: "partial-data", operation: upsert }, "TARGET_OUTCOME_UNKNOWN", undefined],
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
    await kit.railway.faults.add({ ...fault });
    const error = await failure(write());
    expect(error.code).toBe(code);
    expect(error.retryAfterMs).toBe(retryAfterMs);
  });

  it("a silent server: a write's outcome is unknown, a read is tried later", async () => {
    await kit.open().observe([], never);
    await kit.railway.faults.add({ kind: "slow", operation: [upsert, "variables"], times: "always" });
    expect(
      await failure(kit.open({ timeoutMs: 300 }).apply(set({ NEW: CANARY }), order(1), never)),
    ).toMatchObject({ code: "TARGET_OUTCOME_UNKNOWN" });
    expect(await failure(kit.open({ timeoutMs: 300 }).observe(at("NEW"), never))).toMatchObject({
      code: "TARGET_UNAVAILABLE",
    });
    await kit.railway.faults.release({});
  });

  it("nobody listens: surely not sent", async () => {
    const target = kit.open();
    await target.observe([], never);
    await kit.railway.close();
    // The first request may still go into a connection that was kept.
    await failure(target.apply(set({ NEW: CANARY }), order(1), never));
    expect(await failure(target.apply(set({ NEW: CANARY }), order(1), never))).toMatchObject({
      code: "TARGET_UNREACHABLE",
    });
  });

  it("a write that landed late is seen by reading back", async () => {
    const target = kit.open();
    await kit.railway.faults.add({ kind: "gateway-timeout", operation: upsert, applied: "late" });
    await failure(target.apply(set({ NEW: CANARY }), order(1), never));
    expect((await target.observe(at("NEW"), never)).keys[0]?.observed.state).toBe("absent");
    await kit.railway.faults.release({});
    const later = await target.observe(at("NEW"), never);
    expect([later.keys[0]?.observed.state, later.orders]).toEqual(["present", [order(1)]]);
  });

  it("never follows a redirect, so that the token stays with its origin", async () => {
    const seen: string[] = [];
    const elsewhere = createServer((request, response) => {
      seen.push(JSON.stringify(request.headers));
      response.end("{}");
    });
    const redirecting = createServer((_request, response) => {
      const { port } = elsewhere.address() as AddressInfo;
      response.writeHead(307, { location: `http://127.0.0.1:${port}/graphql/v2` }).end();
    });
    for (const server of [elsewhere, redirecting])
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = redirecting.address() as AddressInfo;
      const target = kit.open({ endpoint: `http://127.0.0.1:${port}/graphql/v2` });
      expect((await failure(target.apply(set({ NEW: CANARY }), order(1), never))).code).toBe(
        "TARGET_PROTOCOL",
      );
      expect(seen).toEqual([]);
    } finally {
      for (const server of [elsewhere, redirecting]) server.close();
    }
  });
});
