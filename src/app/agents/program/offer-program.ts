/** What this server offers as the agent's program, signed by the key that the agent pinned, and sealed to it alone. */
import { LockstepError } from "../../../core/errors.ts";
import type { AgentRecord } from "../../../core/store/agents.ts";
import { type PublicJwk, sealMessage } from "../../../protocol/agent/envelope.ts";
import { offeredProgram, type ProgramOffer } from "../../../protocol/agent/program.ts";
import type { AppContext } from "../../base/context.ts";
import { openBundleKey } from "../../orders/store-keys.ts";

/** Throws NOT_FOUND where there is none to offer, SEALED_UNREADABLE, STORE_UNAVAILABLE. */
export async function offerProgram(
  context: AppContext,
  agent: AgentRecord,
  { nonce, offer }: { readonly nonce: string; readonly offer: ProgramOffer | null },
): Promise<{ readonly sealed: string }> {
  if (offer === null) {
    throw new LockstepError("NOT_FOUND", "This server has no agent's program to give.", {
      hint: "Upgrade the agent the way it was installed.",
    });
  }
  const content = offeredProgram.parse({
    ...offer,
    v: 1,
    kind: "program",
    agentId: agent.id,
    storeId: context.storeId,
    nonce,
  });
  const signWith = await openBundleKey(context);
  const encryptTo = agent.encryptKey as unknown as PublicJwk;
  return { sealed: await sealMessage(content, { signWith, encryptTo }) };
}
