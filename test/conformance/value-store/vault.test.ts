import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { NamedValueStore } from "../../../src/core/ports/value-store.ts";
import { VAULT_MODES } from "../../../src/simulator/vault/vault.ts";
import { startVaultForValues, type VaultForValues } from "../../support/vault-values.ts";
import { describeNamedValueStore, describeValueStore } from "./suite.ts";

describe.each(VAULT_MODES)("a value store on %s", (mode) => {
  const storeId = randomUUID();
  let vault: VaultForValues;
  let store: NamedValueStore;
  beforeAll(async () => {
    vault = await startVaultForValues({ mode });
    store = vault.values(storeId);
  });
  afterAll(async () => {
    expect(vault.vault.offences).toEqual([]);
    await vault.stop();
  });

  describeValueStore("Vault", () => store);
  describeNamedValueStore("Vault", () => store);

  it("asks with the rights that are shipped, and needs no others", () => {
    // What stands there already answers a second write so: nothing can be overwritten.
    const refused = vault.vault.calls.list({}).filter(({ status }) => status === 403);
    expect(
      refused.filter(({ method, path }) => method !== "POST" || !path.startsWith("secret/data/")),
    ).toEqual([]);
  });
});
