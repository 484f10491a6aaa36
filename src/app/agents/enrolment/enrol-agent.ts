/**
 * A machine shows a code and becomes a target's agent, once it has confirmed. Whoever does not know a code learns
 * nothing: not whether it was ever known, used, or has expired.
 *
 * A code that serves once is for one pair of keys. Other keys that prove to know it are refused by name, and its owner
 * hears of it: one of the two is not their machine. Which one nobody here can tell, so that neither becomes the agent
 * unless the first has confirmed.
 */
import { createPublicKey, randomBytes, timingSafeEqual, verify } from "node:crypto";
import { enrolmentAssociatedData } from "../../../core/associated-data.ts";
import { LockstepError } from "../../../core/errors.ts";
import type { AgentRecord, EnrolmentRecord } from "../../../core/store/agents.ts";
import type { Repositories } from "../../../core/store/store.ts";
import { enrolmentMac } from "../../../protocol/agent/enrolment-code.ts";
import { type PublicJwk, sealMessage } from "../../../protocol/agent/envelope.ts";
import { publicPart, thumbprint } from "../../../protocol/agent/keys.ts";
import {
  type EnrolmentContent,
  type EnrolmentRequest,
  enrolmentContent,
  type Welcome,
} from "../../../protocol/agent/messages.ts";
import type { AppContext } from "../../base/context.ts";
import { openBundleKey } from "../../orders/store-keys.ts";
import { auditDetailsOf, endOne, takeTurn, termsOf } from "../../targets/enrolment-turn.ts";
import { alertContested } from "./alert-owner.ts";
import { actorOf, hashChallenge } from "./confirm-agent.ts";
import { CODE_LIFE_MS, IDLE_LIFE_MS } from "./lifetimes.ts";
import { hashLookup } from "./manage-agents.ts";

/** For codes that do not exist: their MAC is computed all the same. */
const NO_KEY = randomBytes(32).toString("base64url");

export interface SealedWelcome {
  readonly sealed: string;
  readonly bundleKey: PublicJwk & { readonly crv: "Ed25519" };
}

/**
 * Repeated with the same keys it answers again, as long as the code lives. `from`: the address that asked; `admit` is asked
 * about the code that is shown, known or not. Throws ENROLMENT_INVALID, in every case the same; ENROLMENT_CONTESTED to who
 * knows a code that others have used; and what `admit` throws.
 */
export async function enrolAgent(
  context: AppContext,
  request: EnrolmentRequest,
  { from = null, admit }: { readonly from?: string | null; readonly admit?: (lookup: string) => void } = {},
): Promise<SealedWelcome> {
  const asked = readContent(request.content);
  admit?.(asked.lookup);
  const lookupHash = hashLookup(asked.lookup);
  const enrolment = await context.store.read.agents.findEnrolment(lookupHash);
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
  const begun = await context.store.transaction((tx) =>
    begin(tx, enrolment.targetId, { lookupHash, asked, challengeHash: hashChallenge(challenge), from }),
  );
  // Thrown once what was found out is on record.
  if (begun === "refused") throw refused();
  if (begun === "contested") {
    throw new LockstepError("ENROLMENT_CONTESTED", "Cannot enroll: other keys have used this code before.");
  }
  const welcome: Welcome = {
    v: 1,
    kind: "welcome",
    agentId: begun.agentId,
    storeId: context.storeId,
    epoch: await context.store.read.meta.epoch(),
    target: enrolment.target,
    environment: enrolment.environment,
    nonce: asked.nonce,
    challenge,
    bundleKey: publicPart(bundleKey),
    idleLifeSeconds: begun.isShortLived ? IDLE_LIFE_MS / 1_000 : null,
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

interface Asked {
  readonly lookupHash: string;
  readonly asked: EnrolmentContent;
  readonly challengeHash: string;
  readonly from: string | null;
}

type Begun = { readonly agentId: string; readonly isShortLived: boolean } | "refused" | "contested";

async function begin(tx: Repositories, targetId: string, request: Asked): Promise<Begun> {
  const target = await takeTurn(tx, targetId);
  // Once more, behind the lock: it may have been used or revoked meanwhile.
  const enrolment = await tx.agents.findEnrolment(request.lookupHash);
  if (target === null || enrolment === null) return "refused";
  const { signKey, encryptKey, facts } = request.asked;
  const same = await tx.agents.findBySignKey({ ...signKey });
  const first = enrolment.reusable ? null : await tx.agents.cameBy(enrolment.id);
  if (first !== null && first.id !== same?.id) return contest(tx, enrolment, first, request);
  const terms = termsOf(target, enrolment);
  if (terms === null || enrolment.expired || enrolment.revokedAt !== null) return "refused";
  // An answer that got lost: the code is used, by these keys.
  if (same !== null && same.state !== "pending") return "refused";
  if (same === null && !(await tx.agents.useEnrolment(enrolment.id))) return "refused";
  const isShortLived = terms === "short-lived";
  const agentId = await addAgent(tx, {
    targetId,
    enrolmentId: enrolment.id,
    shortLived: isShortLived,
    signKey: { ...signKey },
    encryptKey: { ...encryptKey },
    challengeHash: request.challengeHash,
    facts: { ...facts },
    enrolledFrom: request.from,
    livesMs: CODE_LIFE_MS,
  });
  if (agentId === null) return "refused";
  if (same === null) {
    const agent = { id: agentId, signKey: { ...signKey }, enrolledFrom: request.from };
    await tx.audit.append({
      action: "agent.enrolment_begun",
      actor: actorOf({ id: agentId, target: target.name }),
      subject: { kind: "target", id: target.id, name: target.name },
      details: { enrolment: enrolment.id, agent: auditDetailsOf(agent) },
    });
  }
  return { agentId, isShortLived };
}

/** Null: the key belongs to somebody already, or it comes with another encryption key than before. */
async function addAgent(
  tx: Repositories,
  agent: Parameters<Repositories["agents"]["add"]>[0],
): Promise<string | null> {
  try {
    return await tx.agents.add(agent);
  } catch (error) {
    if (error instanceof LockstepError && error.code === "ALREADY_EXISTS") return null;
    throw error;
  }
}

/** On record, and told, once for each code: who knows it could ask for ever. */
async function contest(
  tx: Repositories,
  enrolment: EnrolmentRecord,
  first: AgentRecord,
  { asked, from }: Asked,
): Promise<"contested"> {
  if (!(await tx.agents.contest(enrolment.id))) return "contested";
  const target = { id: enrolment.targetId, name: enrolment.target };
  const other = { keyFingerprint: thumbprint(asked.signKey), from };
  await tx.audit.append({
    action: "agent.refused",
    actor: actorOf(first),
    subject: { kind: "target", ...target },
    details: {
      what: "other keys have shown its code",
      enrolment: enrolment.id,
      first: auditDetailsOf(first),
      other,
    },
  });
  if (first.state === "pending") await endOne(tx, actorOf(first), first, "contested");
  await alertContested(tx, first, other);
  return "contested";
}

function refused(): LockstepError {
  return new LockstepError(
    "ENROLMENT_INVALID",
    "Cannot enroll: this code is not valid, or not valid any more.",
  );
}
