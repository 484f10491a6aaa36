/**
 * Which destinations of a configuration were applied: what the command line asks before it reads a credential for one.
 * Asks no place.
 */
import type { Actor } from "../../core/actor.ts";
import { targetId } from "../../core/plan/desired-config.ts";
import type { ConfigPath } from "../../protocol/config-problem.ts";
import type { AppContext } from "../base/context.ts";
import { openChannel } from "../base/open-channel.ts";
import { channelAddress, isKnownChannel, saidOf } from "./channel-config.ts";
import { type ConfigRequest, prepareConfig } from "./prepare.ts";

export interface KnownDestination {
  /** Of the target or channel. */
  readonly path: ConfigPath;
  /** The credential is an address itself, and only within this origin what was applied. */
  readonly origin: string | null;
}

/** Throws CONFIG_INVALID. */
export async function knownDestinations(
  context: AppContext,
  _actor: Actor,
  { config }: Pick<ConfigRequest, "config">,
): Promise<{ readonly known: readonly KnownDestination[] }> {
  const { read } = context.store;
  const { desired, known } = await prepareConfig(context, read, { config });
  const targets = desired.targets
    .filter(({ environment, name }) => known.has(targetId(environment, name)))
    .map(({ path }): KnownDestination => ({ path, origin: null }));
  const stored = new Map((await read.channels.all()).map((channel) => [channel.name, channel]));
  const channels = await Promise.all(
    Object.entries(config.alerts ?? {}).map(async ([name, channel]): Promise<readonly KnownDestination[]> => {
      const before = stored.get(name);
      if (before === undefined || !isKnownChannel(before, saidOf(channel))) return [];
      const path = ["alerts", name];
      if (before.kind !== "slack") return [{ path, origin: null }];
      // One that does not open leads nowhere that is known.
      const opened = await openChannel(context, before).catch(() => null);
      const origin = opened === null ? null : channelAddress({ kind: before.kind, config: opened });
      return origin === null ? [] : [{ path, origin }];
    }),
  );
  return { known: [...targets, ...channels.flat()] };
}
