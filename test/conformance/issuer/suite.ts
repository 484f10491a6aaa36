/** What holds for every issuer, and for every one that asks over the network. */
import { describe, expect, it } from "vitest";
import { LockstepError } from "../../../src/core/errors.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import type { Issued, Issuer, IssuerInput } from "../../../src/core/ports/issuer.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { issueSchema } from "../../../src/protocol/issue.ts";
import type { TokenProvider } from "../../support/token-provider.ts";

export interface IssuerUnderTest {
  readonly issuer: Issuer;
  /** As lockstep.yaml says it, below the issuer's name. */
  readonly config: JsonObject;
  /** Values that must never show; each holds "canary". */
  readonly inputs: Readonly<Record<string, string>>;
  /** Where it asks over the network. */
  readonly provider?: TokenProvider;
  /** Makes the next try fail without any network, in a way of its own. */
  readonly spoil?: () => { readonly config?: JsonObject; readonly inputs?: Readonly<Record<string, string>> };
}

const CODES = [
  "ISSUER_UNAVAILABLE",
  "ISSUER_LIMITED",
  "ISSUER_REFUSED",
  "ISSUER_ANSWER",
  "ISSUER_OUTCOME_UNKNOWN",
  "ISSUER_GRANT_GONE",
];

function inputsOf(values: Readonly<Record<string, string>>): ReadonlyMap<string, IssuerInput> {
  return new Map(
    Object.entries(values).map(([name, value]) => [
      name,
      { versions: [{ version: 1, value: SecretValue.of(value), madeAtMs: 0 }] },
    ]),
  );
}

/** As the store keeps it: with what the schema adds. */
export function stored(kind: string, config: JsonObject): JsonObject {
  const parsed = issueSchema.parse({ [kind]: config }) as Record<string, JsonObject>;
  return JSON.parse(JSON.stringify(parsed[kind])) as JsonObject;
}

export async function issue(
  { issuer, config, inputs }: Pick<IssuerUnderTest, "config" | "inputs" | "issuer">,
  signal: AbortSignal = AbortSignal.timeout(20_000),
  onKept: (successor: string) => void = () => undefined,
): Promise<Issued & { readonly hidden: readonly string[]; readonly replacement: SecretValue | null }> {
  const hidden: string[] = [];
  const kept: SecretValue[] = [];
  const issued = await issuer.issue(
    {
      config: stored(issuer.kind, config),
      inputs: inputsOf(inputs),
      nowMs: Date.now,
      hide: (value) => void hidden.push(value.reveal()),
      keep: async (successor) => {
        kept.push(successor);
        onKept(successor.reveal());
      },
    },
    signal,
  );
  expect(kept.length).toBeLessThanOrEqual(1);
  return { ...issued, hidden, replacement: kept[0] ?? null };
}

export async function failureOf(
  one: Pick<IssuerUnderTest, "config" | "inputs" | "issuer">,
  onKept: (successor: string) => void = () => undefined,
): Promise<LockstepError> {
  try {
    await issue(one, AbortSignal.timeout(20_000), onKept);
  } catch (error) {
    if (!(error instanceof LockstepError)) throw error;
    expect(CODES).toContain(error.code);
    expect(
      JSON.stringify([error.message, error.hint, error.details, error.stack, error.cause]),
    ).not.toContain("canary");
    return error;
  }
  throw new Error("it did not fail");
}

export function issuerConformance(
  kind: string,
  make: () => Promise<IssuerUnderTest> | IssuerUnderTest,
): void {
  describe(`the issuer ${kind}`, () => {
    it("gives a new token each time, and says how long it lives", async () => {
      const one = await make();
      expect(one.issuer.kind).toBe(kind);
      const [first, second] = [await issue(one), await issue(one)];
      expect(first.value.reveal()).toMatch(/^[\x21-\x7e]+$/);
      expect(second.value.reveal()).not.toBe(first.value.reveal());
      expect(first.life).toMatchObject({ ms: expect.any(Number) });
      if (first.life !== null && "ms" in first.life) expect(first.life.ms).toBeGreaterThan(0);
    });

    it("names what it works with, and uses up nothing else", async () => {
      const { issuer, config, inputs } = await make();
      const read = stored(kind, config);
      expect([...issuer.inputs(read)].sort()).toEqual(Object.keys(inputs).sort());
      const single = issuer.singleUse(read);
      if (single !== null) expect(issuer.inputs(read)).toContain(single);
      const origin = issuer.origin(read);
      if (origin !== null) expect(new URL(origin).origin).toBe(origin);
    });

    it("has what arrives hidden before it is used, and replaces only what it uses up", async () => {
      const one = await make();
      const issued = await issue(one);
      if (one.provider !== undefined) expect(issued.hidden).toContain(issued.value.reveal());
      if (issued.replacement !== null) {
        expect(one.issuer.singleUse(stored(kind, one.config))).not.toBeNull();
      }
    });

    it("tells why it failed in words of ours alone", async () => {
      const one = await make();
      const { config = one.config, inputs = one.inputs } = one.spoil?.() ?? {};
      if (one.provider !== undefined)
        one.provider.behaviour = {
          kind: "answer",
          status: 400,
          body: '{"error":"canary-said","message":"canary-said"}',
        };
      else if (one.spoil === undefined) return;
      await failureOf({ ...one, config, inputs });
    });
  });
}

export function networkIssuerConformance(
  kind: string,
  make: () => Promise<IssuerUnderTest & { readonly provider: TokenProvider }>,
): void {
  describe(`the issuer ${kind}, over the network`, () => {
    const body = '{"error":"canary-said","token":"canary-said"}';

    it.each([
      [401, "ISSUER_REFUSED"],
      [403, "ISSUER_REFUSED"],
      [404, "ISSUER_REFUSED"],
      [500, "ISSUER_OUTCOME_UNKNOWN"],
      [502, "ISSUER_OUTCOME_UNKNOWN"],
      [504, "ISSUER_OUTCOME_UNKNOWN"],
    ])("an answer with %i is told as %s", async (status, code) => {
      const one = await make();
      one.provider.behaviour = { kind: "answer", status, body };
      expect((await failureOf(one)).code).toBe(code);
    });

    it.each([
      [429, "ISSUER_LIMITED", "120", 120_000],
      [503, "ISSUER_UNAVAILABLE", "7", 7_000],
      [429, "ISSUER_LIMITED", "99999999", 3_600_000],
    ])("%i waits as long as it says, within bounds", async (status, code, after, ms) => {
      const one = await make();
      one.provider.behaviour = { kind: "answer", status, body: "{}", headers: { "Retry-After": after } };
      expect(await failureOf(one)).toMatchObject({ code, retryAfterMs: ms });
    });

    it.each(["cut", "half", "hang"] as const)(
      "an answer that is lost (%s) leaves its outcome unknown",
      async (how) => {
        const one = await make();
        one.provider.behaviour = { kind: how };
        const config = { ...one.config, timeoutSeconds: 1 };
        expect((await failureOf({ ...one, config })).code).toBe("ISSUER_OUTCOME_UNKNOWN");
      },
    );

    it.each(["cut off", "without end"])(
      "a success that is %s: a refresh token that came whole is kept",
      async (how) => {
        const one = await make();
        if (one.issuer.singleUse(stored(kind, one.config)) === null) return;
        const begin = '{"refresh_token":"canary-came","access_token":"canary-';
        one.provider.behaviour =
          how === "cut off"
            ? { kind: "half", text: begin }
            : { kind: "answer", status: 200, body: `${begin}${"x".repeat(1_000_000)}"}` };
        const kept: string[] = [];
        const failure = await failureOf(one, (successor) => kept.push(successor));
        expect(failure.code).toBe("ISSUER_OUTCOME_UNKNOWN");
        expect(failure.message).toContain(
          how === "cut off" ? "its answer ended too early" : "longer than 256 KiB",
        );
        expect(kept).toEqual(["canary-came"]);
      },
    );

    it("a success whose token is of no use: its refresh token is kept", async () => {
      const one = await make();
      if (one.issuer.singleUse(stored(kind, one.config)) === null) return;
      for (const body of ['{"refresh_token":"canary-came"}', '{"refresh_token":"canary-came","a":']) {
        one.provider.behaviour = { kind: "answer", status: 200, body };
        const kept: string[] = [];
        expect((await failureOf(one, (successor) => kept.push(successor))).code).toBe("ISSUER_ANSWER");
        expect(kept).toEqual(["canary-came"]);
      }
    });

    it("nobody there: nothing was sent", async () => {
      const one = await make();
      await one.provider.close();
      expect((await failureOf(one)).code).toBe("ISSUER_UNAVAILABLE");
    });

    it.each(["no JSON, canary", "[]", "{}", '"canary"', '{"access_token":7,"token":7}'])(
      "an answer of another kind is none: %s",
      async (answer) => {
        const one = await make();
        one.provider.behaviour = { kind: "answer", status: 200, body: answer };
        expect((await failureOf(one)).code).toBe("ISSUER_ANSWER");
      },
    );

    it("an answer without end is cut off", async () => {
      const one = await make();
      one.provider.behaviour = {
        kind: "answer",
        status: 200,
        body: JSON.stringify({ token: "x".repeat(1_000_000) }),
      };
      expect((await failureOf(one)).code).toBe("ISSUER_OUTCOME_UNKNOWN");
    });

    it("goes nowhere else, and takes nothing along", async () => {
      const one = await make();
      const other = await make();
      one.provider.behaviour = {
        kind: "answer",
        status: 302,
        body: "",
        headers: { Location: other.provider.url },
      };
      expect((await failureOf(one)).code).toBe("ISSUER_REFUSED");
      expect(other.provider.asked).toEqual([]);
    });

    it("ends at once when it is given up", async () => {
      const one = await make();
      one.provider.behaviour = { kind: "hang" };
      const ending = new AbortController();
      const asking = issue(one, ending.signal);
      await expect.poll(() => one.provider.asked.length).toBe(1);
      ending.abort();
      await expect(asking).rejects.toMatchObject({ code: "ISSUER_OUTCOME_UNKNOWN" });
    });
  });
}
