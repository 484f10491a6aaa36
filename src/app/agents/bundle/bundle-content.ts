/**
 * What a bundle says, from what the target must hold now. Older versions do not travel: the agent recognises them by a
 * code over each (HMAC under a key of this one bundle).
 */
import { createHmac, randomBytes } from "node:crypto";
import type { Order } from "../../../core/order.ts";
import type { SecretValue } from "../../../core/secret-value.ts";
import type { AgentRecord } from "../../../core/store/agents.ts";
import type { TargetRecord } from "../../../core/store/targets.ts";
import type { BundleAsk } from "../../../protocol/agent/asks.ts";
import type { PublicJwk } from "../../../protocol/agent/envelope.ts";
import { type Bundle, bundle } from "../../../protocol/agent/messages.ts";
import type { AppContext } from "../../base/context.ts";
import type { Desired } from "../../desired/desired.ts";
import { requestWord } from "../../targets/report-content.ts";

const configOf = bundle.pick({ files: true, activate: true, health: true, alsoCheck: true });

export interface BundleParts {
  readonly agent: AgentRecord;
  readonly target: TargetRecord;
  readonly desired: Desired;
  readonly asks: readonly BundleAsk[];
  /** Null: nothing may be told to it. */
  readonly takeOverKey: PublicJwk | null;
  readonly digest: string;
  readonly order: Order;
  /** Signed, of the epochs that the agent has not taken. */
  readonly epochs: readonly string[];
  readonly pushId: string | null;
  readonly nonce: string;
}

export function bundleContent(context: AppContext, parts: BundleParts): Bundle {
  const { agent, target, desired, asks, takeOverKey, digest, order, epochs, pushId, nonce } = parts;
  const { shortLived: _, ...config } = target.config;
  const macKey = randomBytes(32);
  const known = (versions: ReadonlyMap<number, SecretValue>) =>
    Array.from(versions, ([version, value]) => ({
      version,
      mac: createHmac("sha256", macKey).update(value.reveal()).digest("base64url"),
    }));
  const names = new Map(desired.bindings.map(({ secretId, secretName }) => [secretId, secretName]));
  const ownerOf = (slot: { bindingId: string; secretId: string; slot: "primary" | "fallback" }) => ({
    bindingId: slot.bindingId,
    secretId: slot.secretId,
    secret: names.get(slot.secretId) ?? "",
    slot: slot.slot,
  });
  return {
    v: 1,
    kind: "bundle",
    agentId: agent.id,
    storeId: context.storeId,
    epoch: target.epoch,
    generation: target.generation,
    orderDigest: order.digest,
    ...(epochs.length === 0 ? {} : { epochs: [...epochs] }),
    nonce,
    issuedAt: context.clock.now().toISOString(),
    target: target.name,
    environment: target.environment,
    pushId,
    look: requestWord(target),
    digest,
    macKey: macKey.toString("base64url"),
    ...configOf.parse(config),
    quietMs: context.timing.quietMs,
    maxQuietMs: context.timing.maxQuietMs,
    slots: desired.slots.map((slot) => ({
      ...ownerOf(slot),
      placement: slot.placement,
      key: slot.key,
      version: slot.version,
      value: slot.value.reveal(),
      owned: slot.owned,
      takeOver: slot.takeOver,
      settledVersion: slot.settledVersion,
      known: known(slot.others),
    })),
    pruned: desired.pruned.map((slot) => ({
      ...ownerOf(slot),
      placement: slot.placement,
      key: slot.key,
      known: known(slot.known),
    })),
    ...(asks.length === 0 ? {} : { asks: [...asks] }),
    ...(takeOverKey === null ? {} : { takeOverKey: { ...takeOverKey, crv: "X25519" } }),
  };
}
