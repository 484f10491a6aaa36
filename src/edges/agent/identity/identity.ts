/**
 * Who the agent is, and whom it believes: two private keys of its own, and what was pinned when a person carried the
 * code over. Nothing that a server says later changes what is pinned; a new enrolment does.
 */
import { z } from "zod";
import { LockstepError } from "../../../core/errors.ts";
import { encryptionKey, newEncryptionKey, newSigningKey, signingKey } from "../../../protocol/agent/keys.ts";
import type { AgentFiles } from "./agent-files.ts";

export const IDENTITY_FILE = "identity.json";
/** An enrolment that was begun: its keys, until it is confirmed or another code is shown. */
export const ATTEMPT_FILE = "enrolling.json";

const part = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
const publicKey = z.strictObject({ kty: z.literal("OKP"), crv: z.literal("Ed25519"), x: part });

export const keysSchema = z.strictObject({
  signKey: signingKey,
  encryptKey: encryptionKey,
});
export type AgentKeys = z.output<typeof keysSchema>;

export const identitySchema = keysSchema.extend({
  v: z.literal(1),
  /** The agents' listener. */
  url: z.url({ protocol: /^https?$/ }),
  /** sha256 of the listener's public key; null: its certificate is checked as usual. */
  tlsKeyDigest: part.nullable(),
  bundleKey: publicKey,
  storeId: z.uuid(),
  epoch: z.int().min(0),
  agentId: z.uuid(),
  target: z.string(),
  environment: z.string(),
  /** A short-lived identity ends so long after its last use. */
  idleLifeSeconds: z.int().nullable(),
  enrolledAt: z.iso.datetime(),
});
export type Identity = z.output<typeof identitySchema>;

export function newKeys(): AgentKeys {
  return { signKey: newSigningKey(), encryptKey: newEncryptionKey() };
}

/** Null: never enrolled. Throws AGENT_IDENTITY, FILE_UNSAFE. */
export async function loadIdentity(files: AgentFiles): Promise<Identity | null> {
  const text = await files.read(IDENTITY_FILE);
  if (text === null) return null;
  try {
    return identitySchema.parse(JSON.parse(text));
  } catch {
    throw new LockstepError("AGENT_IDENTITY", `Cannot use the identity in ${files.where}: it is damaged.`);
  }
}

export async function requireIdentity(files: AgentFiles): Promise<Identity> {
  const identity = await loadIdentity(files);
  if (identity !== null) return identity;
  if ((await files.read(ATTEMPT_FILE)) === null)
    throw new LockstepError("AGENT_NOT_ENROLLED", `There is no agent's identity in ${files.where}.`);
  throw new LockstepError(
    "AGENT_NOT_ENROLLED",
    `The enrolment in ${files.where} was begun and not finished.`,
    {
      hint: "While its code is valid, show it once more: `lockstep agent enroll`. Otherwise ask for a new one: `lockstep agent invite TARGET`.",
    },
  );
}
