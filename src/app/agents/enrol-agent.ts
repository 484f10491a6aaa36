/**
 * A machine shows a code and becomes a target's agent, once it has confirmed. Whoever does not know a code that is
 * valid now learns nothing: not whether it was ever known, used, or has expired.
 */
import { createPublicKey, randomBytes, timingSafeEqual, verify } from "node:crypto";
import { enrolmentAssociatedData } from "../../core/associated-data.ts";
import { LockstepError } from "../../core/errors.ts";
import type { EnrolmentRecord } from "../../core/ports/store/agents.ts";
import type { Repositories } from "../../core/ports/store/store.ts";
import { enrolmentMac } from "../../protocol/agent/enrolment-code.ts";
import { type PublicJwk, sealMessage } from "../../protocol/agent/envelope.ts";
import { publicPart } from "../../protocol/agent/keys.ts";
import {
  type EnrolmentContent,
  type EnrolmentRequest,
  enrolmentContent,
  type Welcome,
} from "../../protocol/agent/messages.ts";
import type { AppContext } from "../context.ts";
import { IDLE_LIFE_MS } from "./agent-life.ts";
import { hashChallenge } from "./confirm-agent.ts";
import { hashLookup } from "./manage-agents.ts";
import { openBundleKey } from "./store-keys.ts";

/** For codes that do not exist: their MAC is computed all the same. */
const NO_KEY = randomBytes(32).toString("base64url");

export interface SealedWelcome {
  readonly sealed: string;
  readonly bundleKey: PublicJwk & { readonly crv: "Ed25519" };
}

/** Throws ENROLMENT_INVALID, in every case the same. Repeated with the same keys it answers again. */
export async function enrolAgent(context: AppContext, request: EnrolmentRequest): Promise<SealedWelcome> {
  const asked = readContent(request.content);
  const enrolment = await context.store.read.agents.findEnrolment(hashLookup(asked.lookup));
  const macKey =
    enrolment === null
      ? NO_KEY
      : await context.sealer.open(enrolment.macKeySealed, enrolmentAssociatedData(enrolment.id));
  const knowsCode = timingSafeEqual(
    Buffer.from(enrolmentMac(macKey, request.content)),
    Buffer.from(request.mac),
  );
  if (!isSigned(request, asked.signKey) || !knowsCode || enrolment === null) throw refused();
  const bundleKey = await openBundleKey(context);
  const challenge = randomBytes(16).toString("base64url");
  const { agentId, isShortLived } = await context.store.transaction((tx) =>
    addAgent(tx, enrolment, asked, hashChallenge(challenge)),
  );
  const welcome: Welcome = {
    v: 1,
    kind: "welcome",
    agentId,
    storeId: context.storeId,
    epoch: context.epoch,
    target: enrolment.target,
    environment: enrolment.environment,
    nonce: asked.nonce,
    challenge,
    bundleKey: publicPart(bundleKey),
    idleLifeSeconds: isShortLived ? IDLE_LIFE_MS / 1_000 : null,
  };
  return {
    sealed: await sealMessage(welcome, { signWith: bundleKey, encryptTo: asked.encryptKey }),
    bundleKey: publicPart(bundleKey),
  };
}

function readContent(text: string): EnrolmentContent {
  try {
    return enrolmentContent.parse(JSON.parse(text));
  } catch {
    throw refused();
  }
}

function isSigned({ content, signature }: EnrolmentRequest, signKey: PublicJwk): boolean {
  try {
    const key = createPublicKey({ key: { ...signKey }, format: "jwk" });
    return verify(null, Buffer.from(content), key, Buffer.from(signature, "base64url"));
  } catch {
    return false;
  }
}

async function addAgent(
  tx: Repositories,
  { id: enrolmentId, targetId, reusable, expired, revokedAt }: EnrolmentRecord,
  { signKey, encryptKey, facts }: EnrolmentContent,
  challengeHash: string,
): Promise<{ readonly agentId: string; readonly isShortLived: boolean }> {
  const target = await tx.targets.findById(targetId);
  if (target === null) throw refused();
  const isShortLived = target.config["shortLived"] === true;
  // An answer that got lost: the code is used, by these keys.
  const earlier = await tx.agents.findBySignKey({ ...signKey });
  if (earlier !== null && (earlier.state !== "pending" || expired || revokedAt !== null)) throw refused();
  if (earlier === null && !(await tx.agents.useEnrolment(enrolmentId))) throw refused();
  const agent = { targetId, enrolmentId, shortLived: isShortLived || reusable };
  try {
    const agentId = await tx.agents.add({
      ...agent,
      signKey: { ...signKey },
      encryptKey: { ...encryptKey },
      challengeHash,
      facts: { ...facts },
    });
    return { agentId, isShortLived: agent.shortLived };
  } catch (error) {
    if (error instanceof LockstepError && error.code === "ALREADY_EXISTS") throw refused();
    throw error;
  }
}

function refused(): LockstepError {
  return new LockstepError(
    "ENROLMENT_INVALID",
    "Cannot enroll: this code is not valid, or not valid any more.",
  );
}
