/**
 * Enrolment, authenticated both ways by the code that a person carried over. The server shows that it made the code:
 * its answer is signed by the key whose digest the code holds. We show that we know the code (MAC), that we have the
 * signing key (signature) and the encryption key (by sending back what was sealed to it).
 *
 *   keys ▸ written down ▸ enrol ▸ welcome checked ▸ written down ▸ confirm ▸ identity written
 *
 * A lost answer costs nothing: the keys of an attempt are kept beside the code's digest, and the same code goes on
 * where it stopped. Until the last step the identity that was there before stays in use.
 */
import { createHash, createPrivateKey, randomBytes, sign } from "node:crypto";
import { z } from "zod";
import { LockstepError } from "../../../core/errors.ts";
import {
  deriveEnrolmentKeys,
  type EnrolmentCode,
  enrolmentMac,
} from "../../../protocol/agent/enrolment-code.ts";
import { openMessage } from "../../../protocol/agent/envelope.ts";
import { publicPart, thumbprint } from "../../../protocol/agent/keys.ts";
import {
  type AgentFacts,
  type EnrolmentContent,
  type EnrolmentRequest,
  type Welcome,
  welcome as welcomeSchema,
} from "../../../protocol/agent/messages.ts";
import { AgentClient, type ClientOptions, sendEnrolment } from "../client/client.ts";
import type { AgentFiles } from "./agent-files.ts";
import {
  type AgentKeys,
  ATTEMPT_FILE,
  IDENTITY_FILE,
  type Identity,
  identitySchema,
  keysSchema,
  newKeys,
} from "./identity.ts";

const attemptSchema = z.strictObject({
  codeDigest: z.string(),
  keys: keysSchema,
  /** Once the welcome was checked. */
  welcomed: z.strictObject({ identity: identitySchema, challenge: z.string() }).nullable(),
});
type Attempt = z.output<typeof attemptSchema>;

export interface EnrolOptions extends ClientOptions {
  readonly files: AgentFiles;
  readonly facts: AgentFacts;
  /** Order of the store that was accepted last, to refuse one that went back. */
  readonly knownEpoch: (storeId: string) => Promise<number | null>;
}

/** Throws ENROLMENT_INVALID, ENROLMENT_CONTESTED, AGENT_REVOKED, SERVER_UNREACHABLE, BUNDLE_REFUSED, TARGET_HOST_KEY. */
export async function enrol(
  code: EnrolmentCode,
  options: EnrolOptions,
  signal: AbortSignal,
): Promise<Identity> {
  const attempt = await beginAttempt(code, options.files);
  const { welcomed } = attempt.welcomed === null ? await greet(code, attempt, options, signal) : attempt;
  if (welcomed === null) throw new LockstepError("INTERNAL", "An enrolment lost its answer.");
  const { identity, challenge } = welcomed;
  try {
    await new AgentClient(options, identity).confirm(challenge, signal);
  } catch (error) {
    // Refused for good: the next try with this code asks for a welcome again.
    if (error instanceof LockstepError && error.verdict === "never") {
      await options.files.write(ATTEMPT_FILE, JSON.stringify({ ...attempt, welcomed: null }));
    }
    throw error;
  }
  await options.files.write(IDENTITY_FILE, JSON.stringify(identity));
  await options.files.remove(ATTEMPT_FILE);
  return identity;
}

async function beginAttempt(code: EnrolmentCode, files: AgentFiles): Promise<Attempt> {
  const codeDigest = createHash("sha256").update(code.random).digest("base64url");
  const earlier = await readAttempt(files);
  if (earlier?.codeDigest === codeDigest) return earlier;
  const attempt: Attempt = { codeDigest, keys: newKeys(), welcomed: null };
  await files.write(ATTEMPT_FILE, JSON.stringify(attempt));
  return attempt;
}

async function readAttempt(files: AgentFiles): Promise<Attempt | null> {
  const text = await files.read(ATTEMPT_FILE);
  try {
    return text === null ? null : attemptSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

async function greet(
  code: EnrolmentCode,
  attempt: Attempt,
  options: EnrolOptions,
  signal: AbortSignal,
): Promise<Attempt> {
  const nonce = randomBytes(16).toString("base64url");
  const { sealed, bundleKey } = await sendEnrolment(
    options,
    requestOf(code, attempt.keys, nonce, options.facts),
    signal,
  );
  // Before anything else is looked at: is this the server that made the code?
  if (bundleKey === undefined || thumbprint(bundleKey) !== code.bundleKeyDigest) {
    throw refused("the server does not have the key that the code names");
  }
  const opened = welcomeSchema.safeParse(
    await openMessage(sealed, { decryptWith: attempt.keys.encryptKey, signedBy: bundleKey }),
  );
  if (!opened.success) throw refused("its answer is not for us, or not from the server that made the code");
  const { data } = opened;
  if (data.nonce !== nonce) throw refused("its answer is a copy of an older one");
  const known = await options.knownEpoch(data.storeId);
  if (known !== null && data.epoch < known)
    throw refused("its store is older than the one that this agent knew");
  const next: Attempt = {
    ...attempt,
    welcomed: { identity: identityOf(code, attempt.keys, data, options.nowMs()), challenge: data.challenge },
  };
  await options.files.write(ATTEMPT_FILE, JSON.stringify(next));
  return next;
}

function requestOf(code: EnrolmentCode, keys: AgentKeys, nonce: string, facts: AgentFacts): EnrolmentRequest {
  const { lookup, macKey } = deriveEnrolmentKeys(code.random);
  const content: EnrolmentContent = {
    v: 1,
    lookup,
    nonce,
    signKey: publicPart(keys.signKey),
    encryptKey: publicPart(keys.encryptKey),
    facts,
  };
  const text = JSON.stringify(content);
  const key = createPrivateKey({ key: { ...keys.signKey }, format: "jwk" });
  return {
    content: text,
    mac: enrolmentMac(macKey, text),
    signature: sign(null, Buffer.from(text), key).toString("base64url"),
  };
}

function identityOf(code: EnrolmentCode, keys: AgentKeys, welcome: Welcome, nowMs: number): Identity {
  const { storeId, epoch, agentId, target, environment, idleLifeSeconds, bundleKey } = welcome;
  // The pinned key is the one that the code names; a welcome that speaks of another contradicts itself.
  if (thumbprint(bundleKey) !== code.bundleKeyDigest) throw refused("it names another key than the code");
  return {
    v: 1,
    url: code.url,
    tlsKeyDigest: code.tlsKeyDigest,
    ...keys,
    bundleKey: { ...publicPart(bundleKey), crv: "Ed25519" },
    storeId,
    epoch,
    agentId,
    target,
    environment,
    idleLifeSeconds,
    enrolledAt: new Date(nowMs).toISOString(),
  };
}

function refused(why: string): LockstepError {
  return new LockstepError("BUNDLE_REFUSED", `Cannot enroll: ${why}.`, {
    hint: "Nothing was accepted. Check the way to the server, and ask for a new code with `lockstep agent invite TARGET`.",
  });
}
