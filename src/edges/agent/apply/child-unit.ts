/**
 * The process that `lockstep run` starts: a place (its environment) and a unit (what restarts) in one. A value is
 * staged here, and the child has it from its next start on.
 */
import type { ActivationProgress, Activator } from "../../../core/ports/activator.ts";
import type { SecretValue } from "../../../core/secret-value.ts";

/** One life of the child: boot id, process id, start. */
export type Incarnation = Readonly<Record<"bootId" | "pid" | "startedAt", string | number>>;

export interface RunnerState {
  /** Of the start that this is about. */
  readonly id: string;
  /** `starting`: alive, and too young to be called well started. */
  readonly state: "starting" | "running" | "failed" | "none";
  readonly incarnation: Incarnation | null;
  readonly reason: string;
}

/** Starts and ends processes: written beside, because signals and groups are a matter of their own. */
export interface ChildRunner {
  /** Ends the one that runs, and starts anew. Answers the start's id. Throws ACTIVATION_FAILED when it cannot be started. */
  restart(environment: ReadonlyMap<string, SecretValue>): Promise<string>;
  state(): RunnerState;
}

export class ChildUnit {
  readonly #runner: ChildRunner;
  #staged: ReadonlyMap<string, SecretValue> = new Map();
  #started: ReadonlyMap<string, SecretValue> | null = null;
  #failedId: string | null = null;

  constructor(runner: ChildRunner) {
    this.#runner = runner;
  }

  get staged(): ReadonlyMap<string, SecretValue> {
    return this.#staged;
  }

  get hasStarted(): boolean {
    return this.#started !== null;
  }

  /** True when the child, as it runs, has something else. */
  stage(environment: ReadonlyMap<string, SecretValue>): boolean {
    this.#staged = environment;
    return this.#started === null || !isEqual(environment, this.#started);
  }

  readonly activator: Activator = {
    prepare: async () => ({ knownIds: [], dormant: false }),
    activate: async () => {
      const { id, state } = this.#runner.state();
      // What failed is tried again by the runner too: if that has worked meanwhile, nobody needs another restart.
      const hasRecovered = id === this.#failedId && (state === "starting" || state === "running");
      if (hasRecovered && this.#started !== null && isEqual(this.#staged, this.#started)) return { id };
      this.#started = this.#staged;
      return { id: await this.#runner.restart(this.#staged) };
    },
    follow: async (asked) => {
      const current = this.#runner.state();
      const { id, state } = current;
      if (state === "failed" || state === "none") this.#failedId = id;
      return asked.map(
        (one): ActivationProgress =>
          one.id === id
            ? progressOf(current)
            : { state: "not-started", reason: "the program was not started anew" },
      );
    },
  };
}

function progressOf({ id, state, incarnation, reason }: RunnerState): ActivationProgress {
  switch (state) {
    case "starting":
      return { state: "running", id, reason: "it was started a moment ago" };
    case "running":
      return { state: "succeeded", id, incarnation: incarnation ?? {} };
    case "failed":
    case "none":
      return { state: "failed", id, reason };
  }
}

function isEqual(left: ReadonlyMap<string, SecretValue>, right: ReadonlyMap<string, SecretValue>): boolean {
  if (left.size !== right.size) return false;
  return [...left].every(([key, value]) => right.get(key)?.reveal() === value.reveal());
}
