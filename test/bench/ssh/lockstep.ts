/**
 * Lockstep's side: its real target code, per host look, compare-and-set write (fenced, synced, with a copy kept for
 * restoring), and read-back, as a push does it.
 */
import { randomBytes } from "node:crypto";
import { SshConnections } from "../../../src/adapters/hosts/ssh/connections.ts";
import { sshKindOn } from "../../../src/adapters/targets/ssh/target.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import type { Target } from "../../../src/core/ports/target.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { mapLimited } from "../../../src/lib/map-limited.ts";
import { CHANGED_KEY, type Fleet, type FleetHost, pathOf } from "../support/ssh-fleet.ts";

const STORE_ID = "0b9f1a52-6c1d-4a7e-9d57-4a1c2e3f5a6b";

export interface LockstepSide {
  /** One round over all hosts, `atOnce` of them at a time. The first one makes the connections. */
  push(value: string, atOnce: number, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

let generation = 0;

export function openLockstep(fleet: Fleet, hosts: readonly FleetHost[]): LockstepSide {
  const connections = new SshConnections();
  const kind = sshKindOn(connections);
  const targets = hosts.map((host) => {
    const { config, credentials } = kind.parse({
      ssh: {
        host: host.host,
        port: host.port,
        user: fleet.user,
        hostKey: host.sshd.hostKey,
        privateKey: host.sshd.clientKey.privateKey,
      },
      files: [{ path: pathOf(host), format: "dotenv", mode: "0600" }],
    });
    return { host, config, credentials };
  });
  return {
    async push(value, atOnce, signal) {
      generation += 1;
      const order = { storeId: STORE_ID, epoch: 1, generation, digest: null };
      const secret = SecretValue.of(value);
      await mapLimited(targets, atOnce, async ({ host, config, credentials }) => {
        const target = open(kind, config, credentials);
        try {
          const address = { placement: pathOf(host), key: CHANGED_KEY };
          await target.observe([address], signal);
          await target.apply({ set: [{ ...address, value: secret }], unset: [] }, order, signal);
          const [seen] = (await target.observe([address], signal)).keys;
          if (seen?.observed.state !== "present" || seen.observed.value.reveal() !== value) {
            throw new Error("the read-back shows another value");
          }
        } finally {
          await target.close();
        }
      });
    },
    close: () => connections.close(),
  };
}

function open(
  kind: ReturnType<typeof sshKindOn>,
  config: JsonObject,
  credentials: JsonObject | null,
): Target {
  return kind.open(config, credentials, {
    targetName: "bench",
    budget: { take: async () => {}, report: async () => {} },
    storeId: STORE_ID,
    revisionMarker: false,
  });
}

export function newValue(): string {
  return randomBytes(32).toString("base64url");
}
