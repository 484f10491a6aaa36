/**
 * Railway as a target: the variables of one service in one environment, or the environment's shared scope.
 *
 * Promises: one upsert per change with only the changed names, never a deployment by an upsert, never a deletion of
 * what is not ours. Unfenced: Railway cannot refuse an older write, so nothing above `acknowledged` is claimed while one
 * may be in flight. `follow` looks once, when a deployment ends: that is `deployed`. `running` says more only because it
 * is looked again at each gate: only one deployment is active, every instance runs, and its snapshot holds the value, so
 * that a rollback by somebody, another redeployment or a crash is noticed.
 * Leaves to others: comparing before a write, the order (see apply.ts), when to write and to redeploy.
 */
import { LockstepError } from "../../../core/errors.ts";
import type { JsonObject } from "../../../core/json.ts";
import type { DirectKind } from "../../../core/ports/target-kind.ts";
import { SecretValue } from "../../../core/secret-value.ts";
import { RailwayClient } from "./client.ts";
import {
  assertKey,
  assertValue,
  parseRailway,
  placeOf,
  type RailwayConfig,
  readConfig,
  SHARED_PLACEMENT,
} from "./config.ts";
import { createActivator } from "./deployments/activator.ts";
import { createRailwayObserver } from "./deployments/running.ts";
import type { UnitReader } from "./deployments/units.ts";
import { probe } from "./probe.ts";
import { apply } from "./variables/apply.ts";
import { discover } from "./variables/discover.ts";
import { readEnvironment } from "./variables/environment-view.ts";
import { observe } from "./variables/observe.ts";

/** After a client gave up, an accepted request has been seen to be applied later: that long is it waited for. */
const LATE_WRITE_MS = 60_000;

export const railwayKind: DirectKind = {
  kind: "railway",
  delivery: "direct",
  followsGroup: true,
  requestsPerCheck: 5,

  parse: parseRailway,

  destination(config) {
    const { project, environment, service, endpoint } = readConfig(config);
    return `railway ${new URL(endpoint).href} ${project}/${environment}/${service ?? "shared"}`;
  },

  locationKey(config) {
    return placeOf(readConfig(config));
  },

  resolvePlacement(config, file) {
    if (file === undefined) return readConfig(config).service === null ? SHARED_PLACEMENT : "";
    throw new LockstepError("CONFIG_INVALID", "a Railway target has no files; leave `file` out", {
      details: { path: ["file"] },
    });
  },

  capabilities(config) {
    const { requestTimeoutMs } = readConfig(config);
    return {
      maxEvidence: "running",
      readable: true,
      deletable: true,
      conditionalWrite: false,
      readsLag: true,
      inFlightMs: requestTimeoutMs + Math.min(LATE_WRITE_MS, requestTimeoutMs),
    };
  },

  discoveryScope(config) {
    return groupOf(readConfig(config));
  },

  checkGroup: (config) => groupOf(readConfig(config)),

  assertHoldable(_config, { key }, value) {
    assertKey(key);
    if (value !== null) assertValue(key, value.reveal());
  },

  open(stored, credentials, context) {
    const config = readConfig(stored);
    const target = context.targetName;
    const client = new RailwayClient({
      endpoint: config.endpoint,
      token: tokenOf(credentials, target),
      tokenKind: config.tokenKind,
      requestTimeoutMs: config.requestTimeoutMs,
      target,
      budget: context.budget,
      purpose: context.purpose ?? "push",
    });
    const { sharedReads } = context;
    const reader: { -readonly [Key in keyof UnitReader]: UnitReader[Key] } = { client, config, target };
    return {
      probe: (signal) => probe(client, config, target, signal),
      async observe(addresses, signal) {
        const view = await sharedReads?.once(`${client.budgetKey} ${groupOf(config)}`, (all) =>
          readEnvironment(client, config, target, all),
        );
        reader.units = view?.units;
        const { graph, ...seen } = await observe(client, config, target, addresses, signal, view ?? null);
        reader.graph = graph;
        return seen;
      },
      apply: (change, order, signal) =>
        apply(client, config, change, { order, revisionMarker: context.revisionMarker, target }, signal),
      activator: createActivator(client, config, target),
      running: createRailwayObserver(reader),
      discoverer: { discover: (interest, signal) => discover(client, config, target, interest, signal) },
      close: async () => {},
    };
  },
};

function groupOf({ project, environment, endpoint }: RailwayConfig): string {
  return `railway:${new URL(endpoint).host}/${project}/${environment}`;
}

function tokenOf(credentials: JsonObject | null, target: string): SecretValue {
  const token = credentials?.["token"];
  if (typeof token === "string") return SecretValue.of(token);
  throw new LockstepError("TARGET_CREDENTIAL_REJECTED", `Target "${target}" has no Railway token.`, {
    hint: 'Give it as `token: "${env:RAILWAY_TOKEN}"` and run `lockstep apply`.',
  });
}
