/**
 * What happens in this process, for people who watch: counted and timed by prom-client. Nothing here can stop what it
 * watches.
 */
import { LockstepError } from "../../core/errors.ts";
import type { Telemetry } from "../../core/ports/telemetry.ts";
import { createProcessMetrics, type PoolLevels } from "./metrics/process-metrics.ts";
import { createStoreMetrics } from "./metrics/store-metrics.ts";

export interface TelemetryOptions {
  readonly release: string;
  readonly pool: () => PoolLevels;
}

export function createTelemetry(options: TelemetryOptions): Telemetry {
  const own = createProcessMetrics(options);
  const store = createStoreMetrics();
  /** What is counted has been done, and counts for more than its number. */
  const quietly =
    <Said extends readonly unknown[]>(count: (...said: Said) => void) =>
    (...said: Said): void => {
      try {
        count(...said);
      } catch {
        own.dropped();
      }
    };
  const worked = quietly(own.worked);
  return {
    async during(operation, kind, work) {
      const beganAtMs = performance.now();
      let outcome = "done";
      try {
        return await work();
      } catch (error) {
        outcome = outcomeOf(error);
        throw error;
      } finally {
        worked(operation, kind, outcome, (performance.now() - beganAtMs) / 1_000);
      }
    },
    pushEnded: quietly(own.pushEnded),
    activationEnded: quietly(own.activationEnded),
    jobWaited: quietly(own.jobWaited),
    requestAnswered: quietly(own.requestAnswered),
    async exposition(levels) {
      const parts = [await own.registry.metrics()];
      if (levels !== null) parts.push(await store.text(levels === "unknown" ? null : levels));
      return { contentType: own.registry.contentType, text: `${parts.join("\n").trimEnd()}\n` };
    },
  };
}

/** Another process holds it, or it is gone meanwhile: nobody failed. */
function outcomeOf(error: unknown): "left" | "failed" {
  return error instanceof LockstepError && (error.code === "LEASE_LOST" || error.code === "NOT_FOUND")
    ? "left"
    : "failed";
}
