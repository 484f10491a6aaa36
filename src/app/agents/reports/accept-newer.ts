/** What an agent tells of values that their authority on its machine has changed. It speaks of its own bindings alone. */

import { SecretValue } from "../../../core/secret-value.ts";
import type { AgentRecord } from "../../../core/store/agents.ts";
import type { NewerValue } from "../../../protocol/agent/asks.ts";
import { openMessage, type PublicJwk } from "../../../protocol/agent/envelope.ts";
import { newerContent } from "../../../protocol/agent/messages.ts";
import type { AppContext } from "../../base/context.ts";
import { openTakeOverKey } from "../../orders/store-keys.ts";
import { acceptFromAuthority } from "../../versions/accept-from-authority.ts";
import { actorOf } from "../enrolment/confirm-agent.ts";

/** What does not open, or speaks of what is no authority, is left. */
export async function acceptNewer(
  context: AppContext,
  agent: AgentRecord,
  newer: readonly NewerValue[],
): Promise<void> {
  if (newer.length === 0) return;
  const bindings = await context.store.read.targets.bindings(agent.targetId);
  const keys = {
    decryptWith: await openTakeOverKey(context),
    signedBy: agent.signKey as unknown as PublicJwk,
  };
  for (const { bindingId, sealed } of newer) {
    const binding = bindings.find(({ id }) => id === bindingId);
    if (binding === undefined || !binding.options.authority) continue;
    const { data } = newerContent.safeParse(await openMessage(sealed, keys));
    // Of another binding, or instead of a version that is not the one in force any more.
    if (data === undefined || data.bindingId !== bindingId || data.instead !== binding.currentVersion)
      continue;
    const found = SecretValue.of(data.value);
    context.hideFromLog(found);
    const target = { id: agent.targetId, name: agent.target };
    await acceptFromAuthority(context, { target, binding, found, by: actorOf(agent) });
  }
}
