/**
 * Activates by running a command on the host. A command names no incarnation, so each run gets an id of ours; after a
 * lost answer nobody can tell whether it ran, and it is run again: commands must bear that.
 */
import { randomUUID } from "node:crypto";
import { LockstepError } from "../../../core/errors.ts";
import type { Host } from "../../../core/ports/host.ts";
import type { Activator } from "../../../core/ports/target.ts";
import type { Activation, Health } from "./config.ts";
import { judgeHealth } from "./health.ts";

export function createCommandActivator(
  host: Host,
  activate: Activation & { readonly command: readonly string[] },
  health: Health | null,
): Activator {
  return {
    prepare: async () => ({ knownIds: [], dormant: false }),

    async activate(_unit, signal) {
      const { exitCode } = await host.run(
        activate.command,
        { timeoutMs: activate.timeoutSeconds * 1_000 },
        signal,
      );
      if (exitCode === 0) return { id: `run-${randomUUID()}` };
      const program = activate.command[0] ?? "";
      throw new LockstepError(
        "ACTIVATION_FAILED",
        `${program} ended with ${exitCode === null ? "a signal" : exitCode}.`,
        {
          hint: "Run it by hand on the host, repair, then `lockstep rollout resume`.",
        },
      );
    },

    follow: (asked, signal) =>
      Promise.all(
        asked.map(async ({ id, requestedAgoMs }) => {
          if (id === null)
            return { state: "not-started", reason: "whether the command ran is not known; it is run again" };
          return (
            (await judgeHealth(host, health, requestedAgoMs, signal)) ?? {
              state: "succeeded",
              id,
              incarnation: { run: id },
            }
          );
        }),
      ),
  };
}
