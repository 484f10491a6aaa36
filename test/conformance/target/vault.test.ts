/** A path of KV v2, on each server that the stand-in plays; what is the same on all of them is not run thrice. */
import { beforeAll } from "vitest";
import { VaultLines } from "../../../src/adapters/targets/vault/log-in/lines.ts";
import { neededRights } from "../../../src/adapters/targets/vault/probe/policy.ts";
import { SeenPlaces } from "../../../src/adapters/targets/vault/secret/seen-places.ts";
import { createVaultKind } from "../../../src/adapters/targets/vault/target.ts";
import { policyText } from "../../../src/adapters/vault/rights.ts";
import { startVault, type VaultDouble, type VaultMode } from "../../../src/simulator/vault/vault.ts";
import { CANARY, contextFor, type PlaceFault, type PlaceUnderTest, type TargetConformance } from "./place.ts";
import { targetConformance } from "./suite.ts";

const MOUNT = "team/kv";
const PATH = "apps/api";
const AT = `${MOUNT}/data/${PATH}`;
const WRITES = { method: ["POST", "PUT", "PATCH", "DELETE"], path: `${MOUNT}/*` };

const common: Omit<TargetConformance, "name" | "start" | "kind"> = {
  badKeys: ["", "LOCKSTEP_REV", "__proto__", "half\ud800", "k".repeat(513)],
  moreValues: ["a.b.c", "null", "0", "\u{1f511}", "half \ud800", "{{identity}}", "x".repeat(1_048_577)],
};

const seen = new SeenPlaces();
const kind = createVaultKind({ revisionMarker: true, lines: new VaultLines(), seen });

for (const mode of ["vault-1.21", "vault-1.8", "openbao-2.6"] as const) {
  targetConformance({
    ...common,
    name: `a path in ${mode}`,
    kind,
    start: () => startPlace(mode),
  });
}

/** The first request of a process waits for a library; no test of a place does. */
beforeAll(async () => {
  const { raw, stop } = await startPlace("vault-1.21", 20_000);
  const { config, credentials } = kind.parse(raw);
  const target = kind.open(config, credentials, contextFor());
  await target.probe(new AbortController().signal);
  await target.close();
  await stop();
});

async function startPlace(mode: VaultMode, requestTimeoutMs = 1_000): Promise<PlaceUnderTest> {
  const vault = await startVault({ mode });
  // The system may give it the port of one before: then it is no node of that one.
  seen.clear();
  vault.mount("kv-v2", MOUNT);
  vault.policy("target", policyText(neededRights({ mount: MOUNT, path: PATH, discover: [], label: true })));
  const token = vault.token({ policies: ["target"], periodSeconds: 3_600 });
  const settings = { address: vault.address, mount: MOUNT, path: PATH, token, requestTimeoutMs };
  let gone = false;
  const end = async () => {
    if (!gone) await vault.stop();
    gone = true;
  };
  return {
    raw: { vault: settings },
    rawWithUnknownKey: { vault: { ...settings, replace: CANARY } },
    address: (key) => ({ placement: "", key }),
    stored: async (key) => {
      const value = mapOf(vault)[key];
      return typeof value === "string" ? value : null;
    },
    put: async (key, value) => {
      vault.request("POST", AT, { data: { ...mapOf(vault), [key]: value } });
    },
    writes: async () => vault.calls.list({ method: "POST", path: AT }).length,
    fault: async (fault) => {
      if (fault === "is-gone") await end();
      else hurt(vault, fault);
    },
    stop: end,
  };
}

function mapOf(vault: VaultDouble): Readonly<Record<string, unknown>> {
  const { status, body } = vault.request("GET", AT);
  return status === 200 ? (body as { data: { data: Record<string, unknown> } }).data.data : {};
}

function hurt(vault: VaultDouble, fault: Exclude<PlaceFault, "is-gone">): void {
  switch (fault) {
    case "refuses-write":
      vault.fault(WRITES, { kind: "policy-denied" });
      return;
    case "throttles-write":
      vault.fault(WRITES, { kind: "rate-limited", retryAfterSeconds: 3 });
      return;
    case "silent-on-write":
      vault.fault(WRITES, { kind: "held", at: "answer" });
      return;
    case "loses-answer-to-write":
      vault.fault(WRITES, { kind: "cut", executed: true });
      return;
    case "silent-on-read":
      vault.fault({ method: "GET", path: `${MOUNT}/*` }, { kind: "held", at: "request" });
  }
}
