import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DesiredBinding, DesiredConfig } from "../../../src/core/plan/desired-config.ts";
import {
  bindingId,
  claimsOf,
  type Difference,
  diffConfig,
  keyId,
} from "../../../src/core/plan/diff-config.ts";
import type { OwnedKey, StoredConfig } from "../../../src/core/store/config.ts";

const EMPTY: StoredConfig = { environments: [], secrets: [], targets: [], bindings: [], owned: [] };
const ENVIRONMENTS = ["production", "staging"];

/** Configurations over few names, so that many of them meet. `scope`: the environments that the file holds. */
function desires(scope: readonly string[]): fc.Arbitrary<DesiredConfig> {
  const name = fc.constantFrom("A", "B", "C");
  const target = fc.constantFrom("t", "u");
  const binding = fc.record({
    secretEnvironment: fc.constantFrom(...scope),
    secret: name,
    target,
    key: fc.constantFrom("K", "L"),
    fallbackKey: fc.constantFrom("F", "G"),
    role: fc.constantFrom("verifier" as const, "caller" as const),
    optional: fc.boolean(),
    moved: fc.boolean(),
  });
  const all = scope.flatMap((environment) => ["A", "B", "C"].map((each) => ({ environment, name: each })));
  return fc
    .record({ bindings: fc.array(binding, { maxLength: 6 }), version: fc.nat(2) })
    .map(({ bindings, version }) => {
      const taken = new Set<string>();
      const unique = bindings
        .map(
          ({ moved, ...rest }): DesiredBinding => ({
            ...rest,
            path: [],
            targetEnvironment: rest.secretEnvironment,
            placement: "",
            place: `${rest.secretEnvironment}/${rest.target}${moved ? "/moved" : ""}`,
            template: null,
            drift: "report",
            options: {},
          }),
        )
        .filter((candidate) => {
          const ids = [bindingId(candidate), ...claimsOf(candidate).map(keyId)];
          if (ids.some((id) => taken.has(id))) return false;
          for (const id of ids) taken.add(id);
          return true;
        });
      return {
        environments: scope,
        secrets: all.map((secret) => ({ ...secret, path: [], policy: { version } })),
        targets: scope.flatMap((environment) =>
          ["t", "u"].map((each) => ({
            path: [],
            environment,
            name: each,
            kind: "memory",
            config: { version },
            destination: each,
          })),
        ),
        bindings: unique,
      };
    });
}

/** What applying means, told a second time without a database. Every live claim counts as written. */
function applied(
  stored: StoredConfig,
  desired: DesiredConfig,
  differences: readonly Difference[],
): StoredConfig {
  let { environments, secrets, targets, bindings, owned } = stored;
  for (const change of differences) {
    if (change.subject === "environment") environments = [...environments, change.name];
    if (change.subject === "secret") {
      const subject = "desired" in change ? change.desired : change.stored;
      secrets = secrets.filter(
        ({ environment, name }) => environment !== subject.environment || name !== subject.name,
      );
      if ("desired" in change) {
        const { path: _, ...rest } = change.desired;
        const id = `${rest.environment}/${rest.name}`;
        secrets = [...secrets, { ...rest, id, currentVersion: 1, moving: false, removed: false }];
      }
    }
    if (change.subject === "target") {
      const subject = "desired" in change ? change.desired : change.stored;
      targets = targets.filter(
        ({ environment, name }) => environment !== subject.environment || name !== subject.name,
      );
      if ("desired" in change) {
        const { path: _, ...rest } = change.desired;
        targets = [...targets, { ...rest, id: `${rest.environment}/${rest.name}`, credentialsSealed: null }];
      }
    }
    if (change.subject === "binding") {
      const subject = "desired" in change ? change.desired : change.stored;
      const id = bindingId(subject);
      bindings = bindings.filter((binding) => bindingId(binding) !== id);
      if (change.action === "remove") {
        owned = owned.map((key) => (key.bindingId === id ? { ...key, live: false } : key));
      } else {
        const { path: _, ...rest } = change.desired;
        bindings = [
          ...bindings,
          { ...rest, id, secretId: "", targetId: "", takeOver: false, settledVersion: null },
        ];
      }
    }
    if (change.subject === "key") {
      const id = keyId(change.owned);
      owned = owned.map((key) => (keyId(key) === id ? { ...key, prune: true } : key));
    }
  }
  const claimed = desired.bindings.flatMap((binding) =>
    claimsOf(binding).map((claim) => ownedBy(binding, claim)),
  );
  const ids = new Set(claimed.map(keyId));
  const live = new Set(desired.bindings.map(bindingId));
  const rest = owned.filter((key) => !ids.has(keyId(key)) && !(key.live && live.has(key.bindingId)));
  return { environments, secrets, targets, bindings, owned: [...rest, ...claimed] };
}

function ownedBy(
  binding: DesiredBinding,
  claim: { readonly place: string; readonly key: string; readonly slot: "primary" | "fallback" },
): OwnedKey {
  const { placement, target, targetEnvironment, secret, secretEnvironment } = binding;
  return {
    ...claim,
    placement,
    target,
    targetEnvironment,
    secret,
    secretEnvironment,
    targetId: `${targetEnvironment}/${target}`,
    bindingId: bindingId(binding),
    live: true,
    written: true,
    prune: false,
  };
}

const OPTIONS = { prune: false, credentials: new Map(), isReachable: () => true };

describe("the difference between configuration and store", () => {
  it("is empty after it was applied, whatever was there before", () => {
    fc.assert(
      fc.property(desires(ENVIRONMENTS), desires(ENVIRONMENTS), fc.boolean(), (before, after, prune) => {
        const first = applied(EMPTY, before, diffConfig(before, EMPTY, OPTIONS));
        const options = { ...OPTIONS, prune };
        const second = applied(first, after, diffConfig(after, first, options));
        expect(diffConfig(after, second, options)).toEqual([]);
      }),
    );
  });

  it("never touches an environment that the configuration does not hold", () => {
    fc.assert(
      fc.property(desires(ENVIRONMENTS), desires(["staging"]), fc.boolean(), (before, after, prune) => {
        const stored = applied(EMPTY, before, diffConfig(before, EMPTY, OPTIONS));
        for (const change of diffConfig(after, stored, { ...OPTIONS, prune })) {
          expect(JSON.stringify(change)).not.toContain("production");
        }
      }),
    );
  });

  it("deletes only what is written, not bound any more, and only when asked", () => {
    fc.assert(
      fc.property(desires(ENVIRONMENTS), desires(ENVIRONMENTS), (before, after) => {
        const stored = applied(EMPTY, before, diffConfig(before, EMPTY, OPTIONS));
        const deletes = (list: readonly Difference[]) =>
          list.flatMap((c) => (c.subject === "key" ? [c.owned] : []));
        expect(deletes(diffConfig(after, stored, OPTIONS))).toEqual([]);
        const claimed = new Set(after.bindings.flatMap((binding) => claimsOf(binding).map(keyId)));
        for (const owned of deletes(diffConfig(after, stored, { ...OPTIONS, prune: true }))) {
          expect(owned.written).toBe(true);
          expect(claimed.has(keyId(owned))).toBe(false);
        }
      }),
    );
  });

  it("never deletes what it only claimed or adopted", () => {
    fc.assert(
      fc.property(desires(ENVIRONMENTS), desires(ENVIRONMENTS), (before, after) => {
        const stored = applied(EMPTY, before, diffConfig(before, EMPTY, OPTIONS));
        const adopted = { ...stored, owned: stored.owned.map((key) => ({ ...key, written: false })) };
        const differences = diffConfig(after, adopted, { ...OPTIONS, prune: true });
        expect(differences.filter(({ subject }) => subject === "key")).toEqual([]);
      }),
    );
  });

  it("sees a new credential, and nothing else of it", () => {
    const desired: DesiredConfig = {
      environments: ["production"],
      secrets: [],
      targets: [
        { path: [], environment: "production", name: "t", kind: "memory", config: {}, destination: "d" },
      ],
      bindings: [],
    };
    const stored = applied(EMPTY, desired, diffConfig(desired, EMPTY, OPTIONS));
    const credentials = new Map([["production/t", "new" as const]]);
    expect(diffConfig(desired, stored, { ...OPTIONS, credentials })).toMatchObject([
      { subject: "target", action: "change", changed: ["credential"] },
    ]);
  });
});
