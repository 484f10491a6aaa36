/** Operations on places and on the store itself. */
import { z } from "zod";
import { operation } from "./api-operation.ts";
import { evidence, name } from "./api-parts.ts";

export const targetCheck = z.object({ name: z.string(), ok: z.boolean(), message: z.string() });

export const targetAbilities = z.object({
  maxEvidence: evidence,
  readable: z.boolean(),
  deletable: z.boolean(),
  conditionalWrite: z.boolean(),
  inFlightMs: z.int(),
});

const tested = z.object({
  target: z.string(),
  environment: z.string(),
  kind: z.string(),
  ok: z.boolean(),
  checks: z.array(targetCheck).readonly(),
  capabilities: targetAbilities,
});
export type TestedTarget = z.output<typeof tested>;

const unreadableSealed = z.object({
  kind: z.enum(["version", "credentials", "store-key", "enrolment", "channel"]),
  secretId: z.string().exactOptional(),
  version: z.int().exactOptional(),
  targetId: z.string().exactOptional(),
  name: z.string().exactOptional(),
  enrolmentId: z.string().exactOptional(),
});
export type UnreadableSealed = z.output<typeof unreadableSealed>;

const rewrapped = z.object({
  versions: z.int(),
  credentials: z.int(),
  /** The store's keys that agents pin, and those of enrolment codes. */
  agentKeys: z.int(),
  /** Stayed as they are, because no known key opens them. */
  unreadable: z.array(unreadableSealed).readonly(),
  /** Under other root keys, as the last transaction counted. 0: no other key is needed any more. */
  left: z.int(),
  /** Values that are kept in Vault: they are not sealed here, and stay as they are. */
  elsewhere: z.int(),
  /** The key ring that everything is sealed by, with its key's version: `local`, `vault-transit transit/lockstep v3`. */
  ring: z.string(),
});

const versionName = z.strictObject({ secretId: z.uuid(), version: z.int().min(0) });

const movedValues = z.object({
  to: z.enum(["postgres", "vault"]),
  moved: z.int(),
  /** Stay where they are: they could not be read there as they were put. */
  unreadable: z
    .array(
      z.object({
        secretId: z.string(),
        secret: z.string(),
        environment: z.string(),
        version: z.int(),
        code: z.string(),
        trouble: z.enum(["changed", "deleted", "destroyed", "absent"]).nullable(),
      }),
    )
    .readonly(),
  next: versionName.nullable(),
  /** Kept elsewhere, in all, when this part was done. */
  left: z.int(),
});

export type MovedValues = z.output<typeof movedValues>;

const storeStatus = z.object({
  /** Of Lockstep's own tables, with their indexes. */
  bytes: z.int(),
  /** Where the embedded store keeps its files; null: another PostgreSQL, of whose disk the server knows nothing. */
  freeBytes: z.int().nullable(),
  /** Null: it was not watched for long enough. */
  growth: z.object({ bytesPerDay: z.int(), overDays: z.int() }).nullable(),
  /** Until the disk is full; null: nobody can say, or it does not grow. */
  daysLeft: z.int().nullable(),
  /** `forMs` null: for ever. By the settings of the server that answers. */
  kept: z.array(
    z.object({
      kind: z.enum(["changes", "pushes", "restarts", "alerts", "messages"]),
      forMs: z.int().nullable(),
    }),
  ),
  /** The largest first; `rows` as PostgreSQL last estimated them. */
  tables: z.array(z.object({ table: z.string(), rows: z.int(), bytes: z.int() })),
});
export type StoreStatus = z.output<typeof storeStatus>;

const shownHostKey = z.object({
  host: z.string(),
  port: z.int(),
  /** `ssh-ed25519 AAAA…`: what lockstep.yaml pins. */
  hostKey: z.string(),
  fingerprint: z.string(),
});

export const STORE_OPERATIONS = {
  lookAtHostKey: operation({
    method: "POST",
    path: "/host-keys",
    summary: "The key that a host shows to the server's machine, for a person to compare. Logs in nowhere.",
    permission: "config.apply",
    body: z.strictObject({
      host: z.string().regex(/^[A-Za-z0-9](?:[A-Za-z0-9.:-]{0,252}[A-Za-z0-9])?$/),
      port: z.int().min(1).max(65_535).default(22),
    }),
    answer: shownHostKey,
  }),
  storeStatus: operation({
    method: "GET",
    path: "/store",
    summary: "What takes space in the store, what it grows by, and how long history is kept.",
    permission: "status.read",
    answer: storeStatus,
  }),
  testTarget: operation({
    method: "POST",
    path: "/targets/:environment/:name/test",
    summary: "Credential, address and rights of one target. Changes nothing there.",
    permission: "target.test",
    params: z.strictObject({ environment: name, name }),
    answer: tested,
  }),
  rewrap: operation({
    method: "POST",
    path: "/rewrap",
    summary: "Wraps every data key anew under the present root key. Values stay as they are.",
    permission: "store.rewrap",
    answer: rewrapped,
  }),
  moveValues: operation({
    method: "POST",
    path: "/move-values",
    summary:
      "Moves a part of the values to the store that the server is set to use. `next` of the answer goes into the next request, until it is null.",
    permission: "store.move",
    body: z.strictObject({ after: versionName.nullable() }),
    answer: movedValues,
  }),
  recordRecoveryCopy: operation({
    method: "POST",
    path: "/recovery-copy",
    summary:
      "A copy of the root key was seen, by the public name of the key in it. The copy itself never travels.",
    permission: "store.recovery",
    body: z.strictObject({ keyId: z.string().regex(/^[A-Za-z0-9_-]{16}$/) }),
    answer: z.object({ keyId: z.string(), checkedAt: z.string() }),
  }),
};
