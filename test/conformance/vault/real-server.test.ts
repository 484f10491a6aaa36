/**
 * The same expectations against a real server, when one is named:
 *
 *   LOCKSTEP_TEST_VAULT_ADDR=https://127.0.0.1:8200 LOCKSTEP_TEST_VAULT_TOKEN=… npx vitest run test/conformance/vault/real-server.test.ts
 *
 * README.md beside this file says more.
 */
import { afterAll, beforeAll, describe, test } from "vitest";
import { expectAll } from "./expectations.ts";
import { type ExpectedServer, expectedServer } from "./server.ts";

const address = process.env["LOCKSTEP_TEST_VAULT_ADDR"] ?? "";
const token = process.env["LOCKSTEP_TEST_VAULT_TOKEN"] ?? "";

if (address === "" || token === "")
  test("a real Vault or OpenBao", ({ skip }) =>
    skip("name one with LOCKSTEP_TEST_VAULT_ADDR and LOCKSTEP_TEST_VAULT_TOKEN"));
else
  describe(`the server at ${address}`, () => {
    let server: ExpectedServer;

    beforeAll(async () => {
      server = await expectedServer(address, token);
    });

    afterAll(() => server?.remove());

    expectAll(() => server);
  });
