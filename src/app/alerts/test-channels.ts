/** `lockstep alert test`: a message to each channel, now, and what became of it. */
import { randomUUID } from "node:crypto";
import type { Actor } from "../../core/actor.ts";
import { LockstepError, toLockstepError } from "../../core/errors.ts";
import { mapLimited } from "../../lib/map-limited.ts";
import type { AppContext } from "../base/context.ts";
import { sendTo } from "./deliver.ts";

export interface ChannelTest {
  readonly channel: string;
  readonly kind: string;
  readonly error: { readonly code: string; readonly message: string; readonly hint: string } | null;
}

const MAX_AT_ONCE = 8;

/** Throws NOT_FOUND when there is no such channel, or none at all. */
export async function testChannels(
  context: AppContext,
  actor: Actor,
  name: string | undefined,
  signal: AbortSignal,
): Promise<readonly ChannelTest[]> {
  const all = await context.store.read.channels.all();
  const meant = all.filter((channel) => name === undefined || channel.name === name);
  if (meant.length === 0) {
    throw new LockstepError(
      "NOT_FOUND",
      `There is no channel${name === undefined ? "" : ` "${name}"`} for alerts.`,
      {
        hint: "Add one to `alerts:` in lockstep.yaml, for example `ops: { slack: { url: … } }`, and run `lockstep apply`.",
      },
    );
  }
  const at = context.clock.now();
  return await mapLimited(meant, MAX_AT_ONCE, async (channel): Promise<ChannelTest> => {
    const about = { channel: channel.name, kind: channel.kind };
    const message = {
      id: randomUUID(),
      event: "test" as const,
      kind: "test",
      level: "test",
      message: `${actor.name} tries out the channel "${channel.name}". Nothing is wrong.`,
      remedy: "",
      openedAt: at,
      at,
    };
    try {
      await sendTo(context, channel, [message], signal);
      return { ...about, error: null };
    } catch (thrown) {
      const { code, message: why, hint } = toLockstepError(thrown);
      return { ...about, error: { code, message: why, hint } };
    }
  });
}
