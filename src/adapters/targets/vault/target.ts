/**
 * A path of a KV v2 engine as a target, in Vault or OpenBao: keys in one map, which their readers fetch.
 *
 * Promises: with the mark fenced, by check-and-set over one map that holds the keys and the mark; foreign keys stay as they
 * are, and a map that could not be written back exactly is not written; nothing is deleted but keys of ours. The best
 * evidence is `stored`: who has read it, Vault does not say.
 * Leaves to others: restarting who reads it; destroying older versions, which stay readable there.
 */
import { LockstepError } from "../../../core/errors.ts";
import type { JsonObject } from "../../../core/json.ts";
import type { Target } from "../../../core/ports/target.ts";
import type { TargetContext } from "../../../core/ports/target-context.ts";
import type { DirectKind } from "../../../core/ports/target-kind.ts";
import { destinationOf, parseVault, placeOf, readConfig, type VaultConfig } from "./config.ts";
import { cameFrom } from "./log-in/credential.ts";
import { probe } from "./probe/probe.ts";
import { apply } from "./secret/apply.ts";
import { discover } from "./secret/discover.ts";
import { observe, type Shown } from "./secret/observe.ts";
import { Place, type VaultLine } from "./secret/place.ts";
import { SeenPlaces } from "./secret/seen-places.ts";
import { assertKey, assertValue } from "./secret/values.ts";

/** The server goes on with a request that its client gave up, for that long at most. */
const SERVER_GIVES_UP_MS = 90_000;
/** Its version alone is asked: cheap for the server, and no quota is shared. */
const CHECK_EVERY_MS = 60_000;

export interface Lines {
  /** See `VaultLines`. */
  lineTo(
    config: VaultConfig,
    credentials: JsonObject | null,
    context: Pick<TargetContext, "targetName" | "keepCredentials">,
  ): VaultLine & { end(): void };
}

export interface VaultKindOptions {
  /** Whether the mark is left in the map; without it, what another store wrote is not noticed. */
  readonly revisionMarker: boolean;
  readonly lines: Lines;
  readonly seen?: SeenPlaces;
}

export function createVaultKind({
  revisionMarker,
  lines,
  seen = new SeenPlaces(),
}: VaultKindOptions): DirectKind {
  return {
    kind: "vault",
    delivery: "direct",
    checkEveryMs: CHECK_EVERY_MS,

    parse: parseVault,
    cameFrom,

    destination: (stored) => destinationOf(readConfig(stored)),

    locationKey: (stored) => placeOf(readConfig(stored)),

    resolvePlacement(_stored, file) {
      if (file === undefined) return "";
      throw new LockstepError("CONFIG_INVALID", "a path in Vault has no files; leave `file` out", {
        details: { path: ["file"] },
      });
    },

    capabilities(stored) {
      return {
        maxEvidence: "stored",
        readable: true,
        deletable: true,
        conditionalWrite: revisionMarker,
        readsLag: true,
        inFlightMs: revisionMarker ? 0 : readConfig(stored).requestTimeoutMs + SERVER_GIVES_UP_MS,
      };
    },

    discoveryScope(stored) {
      const { discover: folders, ...config } = readConfig(stored);
      // Beyond its own path each looks where its configuration says.
      return `${placeOf(config)} ${JSON.stringify(folders)}`;
    },

    checkGroup: (stored) => placeOf(readConfig(stored)),

    assertHoldable(_stored, { key }, value) {
      assertKey(key);
      if (value !== null) assertValue(key, value.reveal());
    },

    open(stored, credentials, context) {
      const config = readConfig(stored);
      const line = lines.lineTo(config, credentials, context);
      const place = new Place(line, config, context.targetName, seen);
      return openOn(place, { ...context, revisionMarker }, line.end);
    },
  };
}

function openOn(place: Place, context: TargetContext, end: () => void): Target {
  const { revisionMarker, purpose = "push", sharedReads } = context;
  // For the write that follows a look; what is not needed any more is forgotten at once.
  let shown: Shown | null = null;
  return {
    probe: (signal) => probe(place, signal),
    async observe(addresses, signal) {
      const { shown: now, ...observation } = await observe(
        place,
        addresses,
        { purpose, sharedReads },
        signal,
      );
      shown = now;
      return observation;
    },
    apply(change, order, signal) {
      const before = shown;
      shown = null;
      return apply(place, change, { order, revisionMarker, shown: before }, signal);
    },
    activator: null,
    discoverer: { discover: (interest, signal) => discover(place, interest, signal) },
    close: async () => end(),
  };
}
