/** Use counts, read from the very endpoint that applications serve with `lockstep/verify`. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createServerUsageReader } from "../../src/adapters/probes/usage-reader.ts";
import type { JsonObject } from "../../src/core/json.ts";
import { SecretValue } from "../../src/core/secret-value.ts";
import { createVerifier, usageEndpoint } from "../../src/sdk/verify.ts";

const TOKEN = "token-of-the-usage-endpoint";
const OLD = "canary-old-value";
const NEW = "canary-new-value";
const reader = createServerUsageReader({ ownListeners: () => [] });

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.close().closeAllConnections();
    await once(server, "close");
  }
});

async function listen(server: Server): Promise<string> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/usage`;
}

/** A process of the service, with these values in its slots. */
function serviceWith(primary: string, fallback?: string) {
  return createVerifier({ name: "KEY", source: () => ({ primary, fallback }) });
}

const read = async (spec: JsonObject, tokens: readonly string[] = [TOKEN]) => {
  const answer = await reader.readUsage(
    { token: "USAGE_TOKEN", ...spec },
    {
      tokens: tokens.map((token) => SecretValue.of(token)),
      versions: new Map([
        [1, SecretValue.of(OLD)],
        [2, SecretValue.of(NEW)],
      ]),
    },
    AbortSignal.timeout(20_000),
  );
  expect(JSON.stringify(answer)).not.toMatch(/canary|token-of/);
  return answer;
};

describe("use counts", () => {
  it("tell which versions a process holds and how long ago each was used", async () => {
    const service = serviceWith(NEW, OLD);
    const url = await listen(createServer(usageEndpoint(service, { token: TOKEN })));
    service.verify(OLD);
    const answer = await read({ url });
    expect(answer).toMatchObject({ state: "told", holds: [2, 1] });
    if (answer.state !== "told") return;
    expect(answer.usedAgoMs.get(1)).toBeLessThan(5_000);
    // Never used: silent since it was first held, and no longer.
    expect(answer.usedAgoMs.get(2)).toBeLessThan(5_000);
  });

  it("of one value name that version alone", async () => {
    const url = await listen(createServer(usageEndpoint(serviceWith(OLD), { token: TOKEN })));
    expect(await read({ url })).toMatchObject({ state: "told", holds: [1] });
  });

  it("of several processes hold what all of them hold, and were used when any of them was", async () => {
    const quiet = usageEndpoint(serviceWith(NEW, OLD), { token: TOKEN });
    const busy = serviceWith(NEW);
    let turn = 0;
    const url = await listen(
      createServer((incoming, response) => {
        turn += 1;
        (turn % 2 === 0 ? usageEndpoint(busy, { token: TOKEN }) : quiet)(incoming, response);
      }),
    );
    const answer = await read({ url, connections: 2 });
    expect(answer).toMatchObject({ state: "told", holds: [2] });
    expect(answer.state === "told" && [...answer.usedAgoMs.keys()].sort()).toEqual([1, 2]);
  });

  it("name who really used a version, the latest first, of all its processes", async () => {
    const [one, two] = [serviceWith(NEW, OLD), serviceWith(NEW, OLD)];
    for (let number = 1; number <= 6; number += 1) one.verify(OLD, { caller: `job-${number}` });
    two.verify(OLD, { caller: "job-6" });
    two.verify(OLD);
    let turn = 0;
    const url = await listen(
      createServer((incoming, response) => {
        turn += 1;
        usageEndpoint(turn % 2 === 0 ? one : two, { token: TOKEN })(incoming, response);
      }),
    );
    const answer = await read({ url, connections: 2 });
    if (answer.state !== "told") expect.fail(answer.reason);
    // Never used is no use, whatever its quiet time counts from.
    expect([...(answer.users ?? [])].map(([version]) => version)).toEqual([1]);
    const { agoMs, callers } = answer.users?.get(1) ?? { agoMs: Number.NaN, callers: [] };
    expect(agoMs).toBeLessThan(5_000);
    expect(callers).toHaveLength(5);
    expect(callers[0]).toBe("job-6");
  });

  it("whose callers are named as no caller is, are read without them", async () => {
    const verifier = serviceWith(OLD);
    verifier.verify(OLD, { caller: "good" });
    const url = await listen(
      createServer(async (incoming, response) => {
        let text = "";
        for await (const part of incoming) text += String(part);
        const report = JSON.stringify(verifier.usage(JSON.parse(text) as { nonce: string }));
        response.end(report.replaceAll('"good"', JSON.stringify("\u001b[2Jbad")));
      }),
    );
    expect(await read({ url })).toMatchObject({
      state: "told",
      holds: [1],
      users: new Map([[1, { callers: [] }]]),
    });
  });

  it("are ages, whatever the service's clock says", async () => {
    const verifier = serviceWith(OLD);
    verifier.verify(OLD);
    const url = await listen(
      createServer(async (incoming, response) => {
        let text = "";
        for await (const part of incoming) text += String(part);
        const report = verifier.usage(JSON.parse(text) as { nonce: string });
        const shifted = (at: string) => new Date(Date.parse(at) - 86_400_000).toISOString();
        const { primary } = report.slots;
        response.end(
          JSON.stringify({
            ...report,
            at: shifted(report.at),
            slots: {
              fallback: null,
              primary: primary && {
                ...primary,
                lastUsedAt: primary.lastUsedAt && shifted(primary.lastUsedAt),
                heldSince: shifted(primary.heldSince),
              },
            },
          }),
        );
      }),
    );
    const answer = await read({ url });
    expect(answer.state === "told" && answer.usedAgoMs.get(1)).toBeLessThan(5_000);
  });

  it("are read with the token before too, while the token itself moves", async () => {
    const url = await listen(createServer(usageEndpoint(serviceWith(OLD), { token: TOKEN })));
    expect((await read({ url }, ["the-token-that-comes-next", TOKEN])).state).toBe("told");
  });

  it.each([
    ["another token", ["some-other-token-entirely"], "its counts were answered with 401"],
    ["no token", [], "there is no token to read its counts with"],
    [
      "a token that no header holds",
      ["two\r\nlines-in-a-token"],
      "the token for its counts does not fit into a header",
    ],
  ])("cannot be told with %s", async (_what, tokens, reason) => {
    const url = await listen(createServer(usageEndpoint(serviceWith(OLD), { token: TOKEN })));
    expect(await read({ url }, tokens)).toEqual({ state: "cannot-tell", reason });
  });

  it("cannot be told from an answer to an earlier question", async () => {
    const kept = JSON.stringify(serviceWith(OLD).usage({ nonce: Buffer.alloc(32, 7).toString("base64url") }));
    const url = await listen(createServer((_incoming, response) => response.end(kept)));
    expect(await read({ url })).toEqual({
      state: "cannot-tell",
      reason: "its counts answer another question",
    });
  });

  it.each([
    ["no JSON", "<html>canary</html>", "what was read is no report of lockstep/verify"],
    ["another JSON", '{"v":2}', "what was read is no report of lockstep/verify"],
    ["too much", "x".repeat(1_100_000), "its counts are longer than any report is"],
  ])("cannot be told from %s", async (_what, body, reason) => {
    const url = await listen(createServer((_incoming, response) => response.end(body)));
    expect(await read({ url })).toEqual({ state: "cannot-tell", reason });
  });

  it("cannot be told where nobody answers, in time or at all", async () => {
    const silent = await listen(createServer(() => {}));
    expect(await read({ url: silent, timeoutSeconds: 1 })).toEqual({
      state: "cannot-tell",
      reason: "no answer within 1 s",
    });
    const [server] = servers.splice(0);
    server?.close().closeAllConnections();
    expect(await read({ url: silent })).toEqual({ state: "cannot-tell", reason: "no connection: refused" });
  });

  it("are read by whom the configuration names, and by nobody else", async () => {
    const url = await listen(createServer(usageEndpoint(serviceWith(OLD), { token: TOKEN })));
    expect((await read({ url, from: "target" })).state).toBe("cannot-tell");
  });

  it("of a specification that cannot be understood are an error", async () => {
    await expect(read({ url: "http://example.com/usage" })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });
});
