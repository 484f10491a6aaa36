import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyConfig } from "../../../src/app/config/apply-config.ts";
import { planConfig } from "../../../src/app/config/plan-config.ts";
import { introduceVersion } from "../../../src/app/versions/introduce-version.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { type ConfigKit, type ConfigParts, createConfigKit } from "../../support/config-kit.ts";
import { useDatabase } from "../../support/database.ts";
import { TESTER } from "../../support/loop-kit.ts";

const SECRETS = ["A", "B"];
const TARGETS = ["one", "two"];

interface Step {
  readonly bindings: readonly { readonly secret: string; readonly target: string; readonly key: string }[];
  readonly places: Readonly<Record<string, string>>;
  readonly token: string;
  readonly prune: boolean;
  readonly newValue: string | null;
}

const step: fc.Arbitrary<Step> = fc.record({
  bindings: fc.uniqueArray(
    fc.record({
      secret: fc.constantFrom(...SECRETS),
      target: fc.constantFrom(...TARGETS),
      key: fc.constantFrom("K", "L"),
    }),
    { maxLength: 4, selector: ({ target, key }) => `${target}/${key}` },
  ),
  places: fc.record({ one: fc.constantFrom("p", "q"), two: fc.constantFrom("r", "s") }),
  token: fc.constantFrom("first", "second"),
  prune: fc.boolean(),
  newValue: fc.option(fc.constantFrom(...SECRETS)),
});

function partsOf({ bindings, places, token }: Step): ConfigParts {
  return {
    secrets: Object.fromEntries(
      SECRETS.map((secret) => [
        secret,
        bindings
          .filter((binding) => binding.secret === secret)
          .map(({ target, key }) => ({ target, key, role: "both" })),
      ]),
    ),
    targets: Object.fromEntries(TARGETS.map((target) => [target, { place: places[target], token }])),
  };
}

describe("laws of level, not edge, and of owning what we change", () => {
  const getDatabase = useDatabase();

  async function take(kit: ConfigKit, current: Step): Promise<void> {
    const config = kit.config(partsOf(current));
    const request = { config, prune: current.prune, allowShrink: true, duringRollout: true };
    await applyConfig(kit.context, TESTER, request);
    expect((await planConfig(kit.context, TESTER, request)).changes).toEqual([]);
    if (current.newValue !== null) {
      await introduceVersion(kit.context, TESTER, {
        environment: "production",
        name: current.newValue,
        fields: { value: SecretValue.of(`${current.newValue}-${Math.random()}`) },
      });
    }
    await kit.loop.drain(kit.context);
    const settled = await planConfig(kit.context, TESTER, request);
    expect(settled.changes).toEqual([]);
    for (const { wantedVersion, place } of settled.places) {
      // What was left by an earlier binding of the other secret is foreign to this one.
      if (wantedVersion !== null) expect(["equal", "foreign"]).toContain(place.state);
    }
    const bound = new Set(current.bindings.map(({ target, key }) => `${current.places[target]}/${key}`));
    const left = new Set(settled.leftInPlace.map(({ target, key }) => `${current.places[target]}/${key}`));
    if (current.prune) expect([...left].filter((key) => !bound.has(key))).toEqual([]);
  }

  it("has nothing to plan after any sequence of applies, rotations and deletions", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 4 }), async (steps) => {
        const kit = createConfigKit(getDatabase());
        await kit.loop.reset();
        for (const current of steps) await take(kit, current);
      }),
      { numRuns: 15, endOnFailure: true },
    );
  });
});
