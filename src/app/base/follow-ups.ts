/** What follows from a change once it is committed, as data. `jobs/dispatch.ts` decides what is done about it. */
import type { Job } from "../../core/ports/queue.ts";

/** Collects while a transaction runs. Whatever is named twice is done once. */
export interface Next {
  /** The targets owe a push; their agents are notified. */
  reconcile(targetIds: Iterable<string>): void;
  /** A gate waits for what is seen at these targets. */
  look(targetIds: Iterable<string>): void;
  advance(rolloutIds: Iterable<string>): void;
  /** The places or the units of these targets changed: rollouts may go on there, and restarts may be owed. */
  changed(targetIds: Iterable<string>): void;
  /** Of these targets: they ask at once for what there is for them. A target without an agent is ignored. */
  notifyAgents(targetIds: Iterable<string>): void;
  activate(activationId: string, inMs: number): void;
  follow(followGroup: string, inMs: number): void;
}

export interface DelayedJob extends Job {
  /** 0: now. */
  readonly inMs: number;
}

export interface FollowUps {
  readonly jobs: readonly DelayedJob[];
  /** Target ids. */
  readonly changed: readonly string[];
  /** Target ids. */
  readonly notified: readonly string[];
}

/** Of one run of a transaction; the next run collects anew. */
export class NextSteps implements Next {
  readonly #jobs = new Map<string, DelayedJob>();
  readonly #changed = new Set<string>();
  readonly #notified = new Set<string>();

  collected(): FollowUps {
    return {
      jobs: [...this.#jobs.values()],
      changed: [...this.#changed],
      notified: [...this.#notified],
    };
  }

  reconcile(targetIds: Iterable<string>): void {
    for (const id of targetIds) this.#add("reconcile", id);
  }

  look(targetIds: Iterable<string>): void {
    for (const id of targetIds) this.#add("look", id);
  }

  advance(rolloutIds: Iterable<string>): void {
    for (const id of rolloutIds) this.#add("advance", id);
  }

  changed(targetIds: Iterable<string>): void {
    for (const id of targetIds) this.#changed.add(id);
  }

  notifyAgents(targetIds: Iterable<string>): void {
    for (const id of targetIds) this.#notified.add(id);
  }

  activate(activationId: string, inMs: number): void {
    this.#add("activate", activationId, inMs);
  }

  follow(followGroup: string, inMs: number): void {
    this.#add("follow", followGroup, inMs);
  }

  /** The earliest time counts. */
  #add(name: Job["name"], id: string, inMs = 0): void {
    const key = `${name} ${id}`;
    const before = this.#jobs.get(key);
    if (before === undefined || inMs < before.inMs) this.#jobs.set(key, { name, id, inMs });
  }
}
