/**
 * Staged changes: edits that reach nothing until somebody commits them. Committing takes everything that is staged,
 * whoever staged it; it is APPLYING for a moment, then COMMITTED, and an empty patch takes its place.
 */
import { randomUUID } from "node:crypto";
import type { DeploymentDurations } from "../options.ts";
import { changesOf, mergePatches } from "./environment-config.ts";
import type { Environment, EnvironmentConfigPatch, Patch } from "./model.ts";
import type { Platform } from "./platform.ts";
import type { Schedule } from "./schedule.ts";
import { SHARED } from "./variable-store.ts";

export class Patches {
  readonly #platform: Platform;
  readonly #schedule: Schedule;
  readonly #durations: DeploymentDurations;

  constructor(platform: Platform, schedule: Schedule, durations: DeploymentDurations) {
    this.#platform = platform;
    this.#schedule = schedule;
    this.#durations = durations;
  }

  /** Without `merge` it throws away what was staged before. */
  stage(environment: Environment, content: EnvironmentConfigPatch, merge: boolean): Patch {
    const { staged } = environment;
    staged.content = merge ? mergePatches(staged.content, content) : content;
    staged.updatedAt = this.#platform.world.now();
    return staged;
  }

  commitStaged(environment: Environment, message: string | null, skipDeploys: boolean): string {
    const patch = environment.staged;
    environment.staged = this.#platform.world.emptyPatch(environment.id);
    return this.#commit(environment, patch, message, skipDeploys);
  }

  /** What is staged stays staged. */
  commit(environment: Environment, content: EnvironmentConfigPatch, message: string | null): string {
    const patch = { ...this.#platform.world.emptyPatch(environment.id), content };
    return this.#commit(environment, patch, message, false);
  }

  #commit(environment: Environment, patch: Patch, message: string | null, skipDeploys: boolean): string {
    patch.message = message;
    patch.status = "APPLYING";
    environment.patches.push(patch);
    this.#schedule.after(this.#durations.applyingMs, () => this.#apply(environment, patch, skipDeploys));
    return randomUUID();
  }

  #apply(environment: Environment, patch: Patch, skipDeploys: boolean): void {
    const changes = changesOf(patch.content);
    const unknown = changes.find(
      ({ scope }) => scope !== SHARED && !this.#platform.world.findInstance(environment.id, scope),
    );
    patch.updatedAt = this.#platform.world.now();
    if (unknown !== undefined) {
      patch.lastAppliedError = "Service not found";
      return;
    }
    this.#platform.store(environment, changes);
    patch.status = "COMMITTED";
    patch.appliedAt = patch.updatedAt;
    if (skipDeploys) return;
    for (const { scope, set = [], remove = [] } of changes) {
      const names = [...set.map(({ name }) => name), ...remove];
      try {
        this.#platform.deployAffected(environment, scope, names, "environmentPatchCommit");
      } catch {
        patch.lastAppliedError = "Service deployment rate limit exceeded";
      }
    }
  }
}
