/** The double fulfils what is expected of real servers, in each of its modes. */
import { afterAll, beforeAll, describe } from "vitest";
import { startVault, VAULT_MODES, type VaultDouble } from "../../../src/simulator/vault/vault.ts";
import { expectAll } from "./expectations.ts";
import { type ExpectedServer, expectedServer } from "./server.ts";

describe.each(VAULT_MODES)("the double as %s", (mode) => {
  let vault: VaultDouble;
  let server: ExpectedServer;

  beforeAll(async () => {
    vault = await startVault({ mode });
    server = await expectedServer(vault.address, vault.rootToken);
  });

  afterAll(async () => {
    await server.remove();
    await vault.stop();
  });

  expectAll(() => server);
});
