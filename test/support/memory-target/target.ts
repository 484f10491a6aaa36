/**
 * A target in this process's memory, for tests of everything above the port: as capable or as limited as its
 * configuration says, failing on command (`memoryPlace`). It passes the same conformance as the real ones.
 *
 * Promises: what `capabilities` denies is refused with UNSUPPORTED; nothing outlives the process.
 * Leaves to others: every habit of a real place; those are tested against real servers and the simulator.
 */
import { LockstepError } from "../../../src/core/errors.ts";
import { mayWrite, type Order } from "../../../src/core/order.ts";
import type { Address, Observed } from "../../../src/core/ports/place.ts";
import type { ApplyResult, Change, Target } from "../../../src/core/ports/target.ts";
import type { TargetContext } from "../../../src/core/ports/target-context.ts";
import type { DirectKind } from "../../../src/core/ports/target-kind.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { createActivator, unitOf } from "./activator.ts";
import { request } from "./client.ts";
import { type MemoryConfig, parseMemory, readConfig } from "./config.ts";
import { type MemoryPlace, memoryPlace } from "./place.ts";

export const memoryKind: DirectKind = {
  kind: "memory",
  delivery: "direct",

  parse: parseMemory,

  destination: (config) => `memory ${readConfig(config).place}`,

  locationKey: (config) => `memory:${readConfig(config).place}`,

  resolvePlacement(_config, file) {
    if (file === undefined) return "";
    throw new LockstepError("CONFIG_INVALID", "a place in memory has no files", {
      details: { path: ["file"] },
    });
  },

  capabilities(stored) {
    const { conditionalWrite, readable, deletable, restarts, requestTimeoutMs } = readConfig(stored);
    return {
      maxEvidence: restarts ? "deployed" : readable ? "stored" : "acknowledged",
      readable,
      deletable,
      conditionalWrite,
      inFlightMs: conditionalWrite ? 0 : requestTimeoutMs,
    };
  },

  assertHoldable(_config, { key }) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key))
      throw new LockstepError("KEY_INVALID", `A place in memory cannot hold the key "${key}".`);
  },

  open(stored, _credentials, context) {
    const config = readConfig(stored);
    return open(config, memoryPlace(config.place), context);
  },
};

function open(config: MemoryConfig, place: MemoryPlace, context: TargetContext): Target {
  const asking = { timeoutMs: config.requestTimeoutMs };
  return {
    probe: async () => ({ ok: true, checks: [{ name: "place", ok: true, message: "it is in memory" }] }),

    observe: (addresses, signal) =>
      request(
        context,
        { ...asking, name: "read", write: false, fault: place.faults.reads.shift() },
        () => ({
          keys: addresses.map((address) => ({ ...address, observed: look(config, place, address) })),
          orders: place.order === null ? [] : [place.order],
          units: config.restarts ? [unitOf(config)] : [],
        }),
        signal,
      ),

    async apply(change, order, signal) {
      for (const address of [...change.set, ...change.unset]) memoryKind.assertHoldable({}, address, null);
      if (change.unset.length > 0 && !config.deletable)
        throw new LockstepError("UNSUPPORTED", `Target "${context.targetName}" deletes nothing.`);
      if (change.set.length + change.unset.length === 0) return { outcome: "unchanged" };
      const fault = place.faults.writes.shift();
      return request(
        context,
        { ...asking, name: "write", write: true, fault },
        () => write(config, place, { change, order, context }),
        signal,
      );
    },

    activator: config.restarts ? createActivator(config, context) : null,

    close: async () => {},
  };
}

function look({ readable }: MemoryConfig, { values }: MemoryPlace, { key }: Address): Observed {
  const value = values.get(key);
  if (value === undefined) return { state: "absent" };
  return readable
    ? { state: "present", value: SecretValue.of(value) }
    : { state: "unreadable", reason: "it is sealed" };
}

function write(
  { conditionalWrite }: MemoryConfig,
  place: MemoryPlace,
  {
    change,
    order,
    context,
  }: { readonly change: Change; readonly order: Order; readonly context: TargetContext },
): ApplyResult {
  if (conditionalWrite) assertNotNewer(place, order, context.targetName);
  place.writes += 1;
  for (const { key, value } of change.set) place.values.set(key, value.reveal());
  for (const { key } of change.unset) place.values.delete(key);
  if (conditionalWrite || context.revisionMarker) place.order = order;
  return { outcome: "changed" };
}

function assertNotNewer(place: MemoryPlace, order: Order, target: string): void {
  if (place.order === null || mayWrite(order, place.order)) return;
  throw new LockstepError("ORDER_REFUSED", `Cannot write to target "${target}": it carries a newer write.`);
}
