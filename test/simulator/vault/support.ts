/** Asks a double over the wire, as a careful client would unless told otherwise. */
import type { VaultDouble } from "../../../src/simulator/vault/vault.ts";
import { type Wire, type WireOptions, wireTo } from "../../conformance/vault/wire.ts";

export function askerOf(vault: VaultDouble): Wire["ask"] {
  return wireTo(vault.address, vault.rootToken).ask;
}

export const write = (cas: number, data: unknown = { A: "1" }): WireOptions => ({
  body: { options: { cas }, data },
});
