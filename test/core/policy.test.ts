import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bindingOptionsOf, bindingOptionsToStore } from "../../src/core/binding-options.ts";
import type { JsonObject } from "../../src/core/json.ts";
import { issuedPolicyOf, policyOf, policyToStore } from "../../src/core/policy.ts";
import { DEFAULT_WAITS, newRolloutOptions, rolloutOptionsOf } from "../../src/core/rollout/options.ts";
import { STRATEGIES } from "../../src/core/rollout/strategy.ts";
import { durationMs } from "../../src/lib/duration.ts";
import { configSchema } from "../../src/protocol/config.ts";

const duration = fc
  .tuple(fc.integer({ min: 1, max: 500 }), fc.constantFrom("s", "m", "h", "d"))
  .map(([count, unit]) => `${count}${unit}`);
const some = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const generate = fc.record({
  random: fc.record({
    bytes: fc.integer({ min: 16, max: 1_024 }),
    encoding: fc.constantFrom("base64url", "base64", "hex", "alphanumeric"),
  }),
});
const waits = {
  settleFor: some(duration),
  quietFor: some(duration),
  undoFor: some(duration),
  optionalFor: some(duration),
};
const rotate = {
  ...waits,
  maxAge: some(duration),
  window: some(fc.constant("22:00-05:30")),
  strategy: some(fc.constantFrom(...STRATEGIES)),
};
const secrets = fc.oneof(
  fc.record({ rotate: some(fc.record({ ...rotate, every: some(duration) })), generate: some(generate) }),
  fc.record({
    fields: fc.dictionary(fc.constantFrom("user", "password"), fc.record({ generate: some(generate) })),
    rotate: some(fc.record({ ...rotate, every: some(duration) })),
  }),
  fc.record({
    issue: fc.record({ random: fc.record({ life: duration }) }),
    renew: some(fc.oneof(fc.record({ at: fc.constantFrom(0.5, "2/3") }), fc.record({ before: duration }))),
    rotate: some(fc.record(rotate)),
  }),
);

function configured(secret: object) {
  const given = JSON.parse(JSON.stringify({ environments: { dev: { secrets: { A: secret } } } })) as unknown;
  const parsed = configSchema.parse(given).environments["dev"]?.secrets["A"];
  if (parsed === undefined) throw new Error("the configuration holds its secret");
  return parsed;
}

/** What another release may have stored: known names with anything below them. */
const unknown = (names: readonly string[]) =>
  fc.dictionary(fc.constantFrom(...names, "other"), fc.jsonValue()) as fc.Arbitrary<JsonObject>;

describe("what apply stores of a secret", () => {
  it("reads back as it was said", () => {
    fc.assert(
      fc.property(secrets, (secret) => {
        const said = configured(secret);
        const { issue, renew, rotate: moves, hasFields, generation } = policyOf(policyToStore(said));
        expect(moves).toEqual({
          strategy: said.rotate?.strategy ?? null,
          everyMs: durationMs(said.rotate?.every) ?? null,
          maxAgeMs: durationMs(said.rotate?.maxAge) ?? null,
          window: said.rotate?.window ?? null,
          settleForMs: durationMs(said.rotate?.settleFor) ?? DEFAULT_WAITS.settleForMs,
          quietForMs: durationMs(said.rotate?.quietFor) ?? DEFAULT_WAITS.quietForMs,
          optionalForMs: durationMs(said.rotate?.optionalFor) ?? DEFAULT_WAITS.optionalForMs,
          undoForMs: durationMs(said.rotate?.undoFor) ?? DEFAULT_WAITS.undoForMs,
        });
        expect(issue?.stored).toEqual(said.issue);
        expect(issue?.config).toEqual(said.issue?.random);
        expect(renew.beforeMs).toBe(durationMs(said.renew?.before) ?? null);
        expect(renew.at).toBeCloseTo(said.renew?.at === 0.5 ? 0.5 : 2 / 3);
        expect(hasFields).toBe(said.fields !== undefined);
        const makers = said.fields === undefined ? { value: { generate: said.generate } } : said.fields;
        expect(Object.fromEntries(generation ?? [])).toEqual(
          Object.fromEntries(
            Object.entries(makers).map(([name, made]) => [
              name,
              made.generate?.random ?? { bytes: 32, encoding: "base64url" },
            ]),
          ),
        );
      }),
    );
  });

  it("is read without failing, whatever another release stored", () => {
    fc.assert(
      fc.property(unknown(["issue", "renew", "rotate", "fields", "generate"]), (stored) => {
        const policy = policyOf(stored);
        expect(policy.issue === null).toBe(stored["issue"] === undefined);
        expect(Object.values(policy.rotate)).not.toContain(undefined);
        expect(issuedPolicyOf(stored).issue.kind).toEqual(expect.any(String));
      }),
    );
    expect(policyOf({ rotate: { every: "30d", strategy: "sideways" } }).rotate.everyMs).toBeNull();
    expect(policyOf({ generate: { uuid: {} } }).generation).toBeNull();
  });
});

describe("what is stored of bindings and rollouts", () => {
  it("reads back as it was said", () => {
    const attested = some(fc.constant("attested" as const));
    const said = fc.record({
      acceptsFallback: attested,
      evidence: attested,
      triesBoth: attested,
      silentFor: some(duration),
    });
    fc.assert(
      fc.property(said, (binding) => {
        const stored = bindingOptionsToStore({ ...binding, target: "api", role: "both" });
        expect(bindingOptionsOf(stored)).toEqual({
          probe: null,
          usage: null,
          acceptanceBy: binding.acceptsFallback ?? null,
          counterProbed: false,
          useAttested: binding.evidence === "attested",
          triesBoth: binding.triesBoth === "attested",
          silentForMs: durationMs(binding.silentFor) ?? 0,
          authority: false,
        });
      }),
    );
    const options = { ...newRolloutOptions(DEFAULT_WAITS), forced: { b: "why" }, rotates: true };
    expect(rolloutOptionsOf(JSON.parse(JSON.stringify(options)) as JsonObject)).toEqual(options);
  });

  it("is read without failing, whatever another release stored", () => {
    const names = ["probe", "usage", "acceptsFallback", "evidence", "triesBoth", "silentFor", "authority"];
    fc.assert(
      fc.property(
        unknown(names),
        unknown(["settleForMs", "undoForMs", "forced", "rotates"]),
        (binding, rollout) => {
          expect(Object.values(bindingOptionsOf(binding))).not.toContain(undefined);
          expect(Object.values(rolloutOptionsOf(rollout))).not.toContain(undefined);
        },
      ),
    );
  });
});
