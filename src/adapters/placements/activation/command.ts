/**
 * Activates by running a command on the host. A command names no incarnation, so each run gets an id of ours; after a
 * lost answer nobody can tell whether it ran, and it is run again: commands must bear that.
 *
 * That it ended well proves nothing of the service: many commands restart nothing, or restart it with what it had. Only
 * where `process` shows another life than before, or a health check is passed, is more told than that the file stands
 * there.
 */
import { randomUUID } from "node:crypto";
import { LockstepError } from "../../../core/errors.ts";
import type { ActivationProgress, Activator } from "../../../core/ports/activator.ts";
import type { Host } from "../../../core/ports/host.ts";
import type { PlacedFile } from "../placement.ts";
import { type Activation, type Health, provenBy } from "./config.ts";
import { judgeHealth } from "./health.ts";
import { processIn } from "./pid-file.ts";

export function createCommandActivator(
  host: Host,
  activate: Activation & { readonly command: readonly string[] },
  health: Health | null,
  files: readonly Pick<PlacedFile, "format" | "asEnvironment">[],
): Activator {
  const pidFile = activate.process?.pidFile;
  const timeoutMs = activate.timeoutSeconds * 1_000;
  const evidence = provenBy(activate, health, files) === "deployed" ? {} : ({ evidence: "stored" } as const);

  async function lifeNow(signal: AbortSignal): Promise<string | null> {
    return pidFile === undefined ? null : ((await processIn(host, pidFile, signal))?.life ?? null);
  }

  /** Null: it is another one than before, or nobody said which process it is. */
  async function judgeLife(
    knownIds: readonly string[],
    requestedAgoMs: number,
    signal: AbortSignal,
  ): Promise<ActivationProgress | { readonly isOther: boolean; readonly life: string | null }> {
    if (pidFile === undefined) return { isOther: false, life: null };
    const life = await lifeNow(signal);
    const isOther = life !== null && !knownIds.includes(life);
    // A person says that the program reads its files again: the same life is what is expected then.
    if (isOther || (life !== null && activate.rereads !== undefined)) return { isOther, life };
    const reason =
      life === null
        ? `no process runs that ${pidFile} names`
        : `the process that ${pidFile} names is the one from before: the command started none`;
    const state = requestedAgoMs < timeoutMs ? "running" : "failed";
    return { state, id: null, reason };
  }

  return {
    async prepare(_unit, signal) {
      const life = await lifeNow(signal);
      return { knownIds: life === null ? [] : [life], dormant: false };
    },

    async activate(_unit, signal) {
      const { exitCode } = await host.run(activate.command, { timeoutMs }, signal);
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
        asked.map(async ({ id, knownIds, requestedAgoMs }): Promise<ActivationProgress> => {
          if (id === null)
            return { state: "not-started", reason: "whether the command ran is not known; it is run again" };
          const seen = await judgeLife(knownIds, requestedAgoMs, signal);
          if ("state" in seen) return seen;
          const unhealthy = await judgeHealth(host, health, requestedAgoMs, signal);
          if (unhealthy !== null) return unhealthy;
          const incarnation = { run: id, ...(seen.life === null ? {} : { process: seen.life }) };
          const proof = pidFile === undefined || seen.isOther ? evidence : ({ evidence: "stored" } as const);
          return { state: "succeeded", id, incarnation, ...proof };
        }),
      ),
  };
}
