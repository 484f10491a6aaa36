/** Operations on secrets and their versions. Values travel in `setSecret`'s body and `revealSecret`'s answer only. */
import { z } from "zod";
import { operation } from "./api-operation.ts";
import { instant, name } from "./api-parts.ts";

const secretName = z.strictObject({ environment: name, name });
const versionNumber = z.coerce.number().int().min(1).max(2_147_483_647);
const fields = z.record(z.string().min(1).max(64), z.string().max(262_144));

const introduced = z.object({
  secret: z.string(),
  environment: z.string(),
  version: z.int(),
  /** Null: bound nowhere, so the version is current at once. */
  rollout: z.string().nullable(),
  /** The rollout that was bringing this very value already. */
  joined: z.string().exactOptional(),
});
export type IntroducedAnswer = z.output<typeof introduced>;

const listed = z.object({
  name: z.string(),
  environment: z.string(),
  current: z.int().nullable(),
  versions: z.int(),
  changedAt: instant.nullable(),
});
export type ListedSecret = z.output<typeof listed>;

const version = z.object({
  version: z.int(),
  state: z.enum(["staged", "current", "retiring", "retired", "destroyed", "abandoned"]),
  compromisedAt: instant.nullable(),
  expiresAt: instant.nullable(),
  createdBy: z.string(),
  createdAt: instant,
});
export type VersionView = z.output<typeof version>;

const keptCopy = z.object({ target: z.string(), environment: z.string(), file: z.string() });
export type KeptCopyAnswer = z.output<typeof keptCopy>;
/** On hosts, kept for restoring and not removed yet: they go as soon as their hosts answer. */
const keptCopies = z.array(keptCopy).readonly();

export const SECRET_OPERATIONS = {
  listSecrets: operation({
    method: "GET",
    path: "/secrets",
    summary: "Names and versions; never a value.",
    permission: "secret.list",
    query: z.strictObject({ environment: name.exactOptional() }),
    answer: z.object({ secrets: z.array(listed) }),
  }),
  setSecret: operation({
    method: "POST",
    path: "/secrets/:environment/:name/set",
    summary:
      "A new version with the given value, brought to every place that is bound. Creates the secret when new.",
    permission: "secret.set",
    params: secretName,
    /** A plain secret has the one field `value`. */
    body: z.strictObject({ fields }),
    answer: introduced,
  }),
  generateSecret: operation({
    method: "POST",
    path: "/secrets/:environment/:name/generate",
    summary: "A new version whose value is made by the secret's policy.",
    permission: "rollout.start",
    params: secretName,
    answer: introduced,
  }),
  listVersions: operation({
    method: "GET",
    path: "/secrets/:environment/:name/versions",
    summary: "The versions of a secret, newest first.",
    permission: "secret.list",
    params: secretName,
    answer: z.object({ versions: z.array(version) }),
  }),
  revealSecret: operation({
    method: "POST",
    path: "/secrets/:environment/:name/reveal",
    summary: "The value itself. Recorded before it is opened.",
    permission: "secret.reveal",
    params: secretName,
    body: z.strictObject({ version: z.int().min(1).exactOptional() }),
    answer: z.object({ version: z.int(), fields: z.record(z.string(), z.string()) }),
    confidential: true,
  }),
  compromiseVersion: operation({
    method: "POST",
    path: "/secrets/:environment/:name/versions/:version/compromise",
    summary: "Marks a version as known to others: it is never pushed, never a fallback, never gone back to.",
    permission: "secret.set",
    params: secretName.extend({ version: versionNumber }),
    answer: z.object({
      secret: z.string(),
      environment: z.string(),
      version: z.int(),
      /** It is in use: only a new version ends that. */
      isInUse: z.boolean(),
      copies: keptCopies,
    }),
  }),
  destroyVersion: operation({
    method: "POST",
    path: "/secrets/:environment/:name/versions/:version/destroy",
    summary: "Drops the value of a retired version for good. Backups made before still hold it.",
    permission: "secret.destroy",
    params: secretName.extend({ version: versionNumber }),
    answer: z.object({
      secret: z.string(),
      environment: z.string(),
      version: z.int(),
      copies: keptCopies,
    }),
  }),
};
