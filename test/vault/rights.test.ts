/** What ring and value store say when one of their rights is missing: which, where, and the line that gives it. */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ringRights } from "../../src/adapters/crypto/transit-refusals.ts";
import { storeRights } from "../../src/adapters/values/vault-errors.ts";
import { VaultFailure } from "../../src/adapters/vault/failure.ts";
import {
  type Capability,
  lackingHint,
  OWN_TOKEN_RIGHTS,
  policyText,
  type Right,
} from "../../src/adapters/vault/rights.ts";
import type { LockstepError } from "../../src/core/errors.ts";
import type { KeyRing } from "../../src/core/ports/key-ring.ts";
import type { NamedValueStore, StoredValue } from "../../src/core/ports/value-store.ts";
import { startVaultForRings, type VaultForRings } from "../support/vault-ring.ts";
import { startVaultForValues, type VaultForValues } from "../support/vault-values.ts";

const RING = ringRights({ mount: "transit", key: "lockstep" });
const STORE = storeRights({ mount: "secret", prefix: "lockstep" });
const KEY = Buffer.alloc(32, 3);

const shipped = (name: string): readonly string[] =>
  readFileSync(join(import.meta.dirname, "../../deploy/vault/policies", `${name}.hcl`), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("path"));

/** Without one capability at one path. */
const less = (rights: readonly Right[], path: string, capability: Capability): string =>
  policyText(
    rights.map((right) =>
      right.path === path
        ? { path, capabilities: right.capabilities.filter((one) => one !== capability) }
        : right,
    ),
  );
const lineOf = (rights: readonly Right[], path: string): string =>
  policyText(rights.filter((right) => right.path === path));
const refusalOf = (work: Promise<unknown>): Promise<LockstepError> =>
  work.then(
    () => expect.fail("it was not refused"),
    (error: LockstepError) => error,
  );

describe("the lines that are named", () => {
  it("are those that are shipped, and no more", () => {
    expect(policyText(RING).split("\n")).toEqual(shipped("key-ring"));
    expect(policyText(STORE).split("\n")).toEqual(shipped("value-store"));
    for (const right of Object.values(OWN_TOKEN_RIGHTS))
      expect(shipped("own-token")).toContain(policyText([right]));
  });

  it("name the namespace, and all of them where nobody knows what was asked", () => {
    const at = { method: "POST", path: ["transit", "encrypt", "lockstep"], namespace: "team" } as const;
    expect(lackingHint(new VaultFailure("permission", "no", { at }), RING)).toBe(
      'The token\'s policy lacks "update" at transit/encrypt/lockstep. Give the token\'s policy this right, in the namespace team: path "transit/encrypt/lockstep" { capabilities = ["update"] }',
    );
    const unknown = lackingHint(new VaultFailure("permission", "no"), RING);
    for (const right of RING) expect(unknown).toContain(policyText([right]));
  });
});

describe("a key ring without", () => {
  let server: VaultForRings;
  let ring: KeyRing;
  beforeAll(async () => {
    server = await startVaultForRings();
  });
  afterAll(() => server.stop());
  beforeEach(() => {
    server.vault.policy("lockstep-ring", policyText(RING));
    ring = server.ring();
  });

  const open = async (): Promise<unknown> => {
    const { keyId, wrapped } = await server.ring().wrap(KEY, "row");
    server.vault.policy("lockstep-ring", less(RING, "transit/decrypt/lockstep", "update"));
    return ring.unwrap(wrapped, keyId, "row");
  };
  const seal = (): Promise<unknown> => {
    server.vault.policy("lockstep-ring", less(RING, "transit/encrypt/lockstep", "update"));
    return ring.wrap(KEY, "row");
  };
  it.each([
    ["encrypt", seal],
    ["decrypt", open],
  ] as const)("the right to %s", async (operation, work) => {
    const { code, hint } = await refusalOf(work());
    expect(code).toBe("KEY_RING_REFUSED");
    expect(hint).toContain(`lacks "update" at transit/${operation}/lockstep.`);
    expect(hint).toContain(lineOf(RING, `transit/${operation}/lockstep`));
    expect(hint.match(/path "/g)).toHaveLength(1);
  });

  it("the right to see its key, where it cannot see its own rights either", async () => {
    const token = server.vault.token({ policies: ["lockstep-ring"], noDefaultPolicy: true });
    server.vault.policy("lockstep-ring", less(RING, "transit/keys/lockstep", "read"));
    const { code, hint } = await refusalOf(server.ring({ token }).wrap(KEY, "row"));
    expect(code).toBe("KEY_RING_REFUSED");
    expect(hint).toContain(`lacks "read" at transit/keys/lockstep.`);
    expect(hint).toContain(lineOf(RING, "transit/keys/lockstep"));
  });
});

describe("a value store without", () => {
  const storeId = randomUUID();
  let server: VaultForValues;
  let store: NamedValueStore;
  const of = { secretId: randomUUID(), version: 1 };
  let name: string;
  let stored: StoredValue;
  beforeAll(async () => {
    server = await startVaultForValues();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    server.vault.policy("lockstep-values", policyText(STORE));
    store = server.values(storeId);
    name = store.nameFor(1) ?? "";
    stored = await store.put(of, name, '{"value":"one"}');
  });

  const createdTime = (): string => (stored.kind === "named" ? stored.createdTime : "");
  it.each<[Capability, string, () => Promise<unknown>]>([
    ["create", "data", () => store.put(of, store.nameFor(1), '{"value":"two"}')],
    ["read", "data", () => store.read(of, stored)],
    ["read", "metadata", () => store.look({ ...of, name }, createdTime())],
    ["list", "metadata", () => store.values(of.secretId)],
    ["delete", "metadata", () => store.remove({ ...of, name })],
    ["update", "destroy", () => store.remove({ ...of, name })],
  ])("%s below %s/", async (capability, part, work) => {
    const path = `secret/${part}/lockstep/*`;
    server.vault.policy("lockstep-values", less(STORE, path, capability));
    const { code, hint } = await refusalOf(work());
    expect(code).toBe("VALUE_STORE_REFUSED");
    expect(hint).toContain(`lacks "${capability}" at secret/${part}/lockstep/${storeId}/${of.secretId}`);
    expect(hint).toContain(lineOf(STORE, path));
    expect(hint.match(/path "/g)).toHaveLength(1);
  });
});
