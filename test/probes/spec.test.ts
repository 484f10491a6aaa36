import { describe, expect, it } from "vitest";
import { createHostProber } from "../../src/adapters/probes/host-prober.ts";
import { parseProbe } from "../../src/adapters/probes/spec.ts";
import { LockstepError } from "../../src/core/errors.ts";
import type { RunOptions, RunResult } from "../../src/core/ports/host.ts";
import { SecretValue } from "../../src/core/secret-value.ts";

const http = {
  url: "https://api.example.com/ping",
  headers: { "X-Secret": "{{value}}" },
  accepted: [200],
  refused: [401],
};
const command = { run: ["/usr/local/bin/ask"], accepted: [0], refused: [1] };

describe("what a probe may say", () => {
  it("one request, or one command", () => {
    expect(parseProbe({ http }).http).toMatchObject({
      method: "GET",
      timeoutSeconds: 5,
      from: "server",
      connections: 1,
    });
    expect(parseProbe({ command }).command).toMatchObject({ timeoutSeconds: 10 });
  });

  it.each([
    ["neither", {}],
    ["both", { http, command }],
    ["no value anywhere", { http: { ...http, headers: {} } }],
    [
      "a value in the address, where it would be logged",
      { http: { ...http, url: "https://a.example/?k={{value}}" } },
    ],
    ["a value without TLS", { http: { ...http, url: "http://api.example.com/" } }],
    ["credentials in the address", { http: { ...http, url: "https://user:word@a.example/" } }],
    ["a header that steers the connection", { http: { ...http, headers: { ...http.headers, Host: "b" } } }],
    ["a header with a line break", { http: { ...http, headers: { "X-Secret": "{{value}}\r\nX: y" } } }],
    ["the same status for yes and no", { http: { ...http, refused: [200] } }],
    ["nothing that means yes", { http: { ...http, accepted: [] } }],
    ["an unknown key", { http: { ...http, follow: true } }],
    ["a body without its type", { http: { ...http, method: "POST", body: "{{value}}" } }],
    ["a value among a command's words", { command: { ...command, run: ["/bin/ask", "{{value}}"] } }],
    ["a command by a relative name", { command: { ...command, run: ["ask"] } }],
  ])("not %s", (_what, raw) => {
    let thrown: unknown;
    try {
      parseProbe(raw);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: "CONFIG_INVALID", details: { path: expect.any(Array) } });
  });
});

describe("a command on the host", () => {
  function host(end: RunResult | LockstepError) {
    const ran: { readonly argv: readonly string[]; readonly options: RunOptions }[] = [];
    const prober = createHostProber({
      host: {
        run: async (argv, options) => {
          ran.push({ argv, options });
          if (end instanceof LockstepError) throw end;
          return end;
        },
      },
      connect: () => Promise.reject(new Error("nothing is asked over the network here")),
    });
    const ask = (raw: object, value = "canary-value") =>
      prober.probe(raw as never, SecretValue.of(value), AbortSignal.timeout(5_000));
    return { ran, ask };
  }
  const ended = (exitCode: number | null): RunResult => ({
    exitCode,
    stdout: "canary-value",
    stderr: "canary-value",
  });

  it.each([
    [0, "accepted"],
    [1, "refused"],
    [2, "cannot-tell"],
    [null, "cannot-tell"],
  ] as const)("that ends with %s says %s", async (exitCode, verdict) => {
    const { ran, ask } = host(ended(exitCode));
    const answer = await ask({ command });
    expect(answer.verdict).toBe(verdict);
    expect(answer.reason).not.toContain("canary");
    expect(ran[0]?.argv).toEqual(["/usr/local/bin/ask"]);
    expect(Buffer.from(ran[0]?.options.stdin ?? []).toString()).toBe("canary-value");
  });

  it("that could not be run cannot tell", async () => {
    const { ask } = host(new LockstepError("TARGET_UNREACHABLE", "canary-value"));
    expect(await ask({ command })).toEqual({
      verdict: "cannot-tell",
      reason: "the command could not be run (TARGET_UNREACHABLE)",
    });
  });

  it.each(["", "a\ud800"])("is not asked about another value than the one that is meant", async (value) => {
    const { ran, ask } = host(ended(0));
    expect((await ask({ command }, value)).verdict).toBe("cannot-tell");
    expect(ran).toEqual([]);
  });

  it("makes no requests", async () => {
    expect((await host(ended(0)).ask({ http })).verdict).toBe("cannot-tell");
  });
});
