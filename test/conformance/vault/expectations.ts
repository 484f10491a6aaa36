/**
 * What Lockstep relies on of a Vault or OpenBao server, as cases on the bare wire. The double must fulfil them in each of
 * its modes, and so must every real server from Vault 1.8 on and OpenBao (README.md beside this file says how to try one).
 * So no case may know which server it talks to: what servers differ in is found out (`server.features`), or allowed for.
 */
import { describe, test } from "vitest";
import { APPROLE } from "./expectations-approle.ts";
import { KV } from "./expectations-kv.ts";
import { KV_METADATA } from "./expectations-kv-metadata.ts";
import { POLICIES } from "./expectations-policies.ts";
import { SYSTEM } from "./expectations-system.ts";
import { TOKENS } from "./expectations-tokens.ts";
import { TRANSIT } from "./expectations-transit.ts";
import type { ExpectedServer } from "./server.ts";

export interface Expectation {
  readonly name: string;
  readonly check: (server: ExpectedServer) => Promise<void>;
}

const GROUPS: Readonly<Record<string, readonly Expectation[]>> = {
  "KV v2 data": KV,
  "KV v2 metadata, and KV v1": KV_METADATA,
  Transit: TRANSIT,
  tokens: TOKENS,
  "AppRole and wrapping": APPROLE,
  policies: POLICIES,
  system: SYSTEM,
};

/** Registers one test for each; `server` is asked for when they run. */
export function expectAll(server: () => ExpectedServer): void {
  for (const [group, expectations] of Object.entries(GROUPS))
    describe(group, () => {
      test.each(expectations)("$name", ({ check }) => check(server()));
    });
}
