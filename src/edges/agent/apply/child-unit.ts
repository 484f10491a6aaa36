/**
 * The process that `lockstep run` starts: a place (its environment) and a unit (what restarts) in one. A value is
 * staged here, and the child has it from its next start on.
 */
import { LockstepError } from "../../../core/errors.ts";
import type { Activator } from "../../../core/ports/target.ts";
import type { SecretValue } from "../../../core/secret-value.ts";

/** One life of the child. */
export interface Incarnation {
  readonly bootId: string;
  readonly pid: number;
  /** What the system says of the process's start; tells lives of one pid apart. */
  readonly startedAt: string;
}

/** Starts and ends processes: written beside, because signals and groups are a matter of their own. */
export interface ChildRunner {
  /** Ends the one that runs, and starts anew. Throws ACTIVATION_FAILED when it cannot be started. */
  restart(environment: ReadonlyMap<string, SecretValue>): Promise<Incarnation>;
  /** Of the one that runs; null: none does. */
  current(): Incarnation | null;
}

export const CHILD_KEY = "child";

export class ChildUnit {
  readonly #runner: ChildRunner;
  #staged: ReadonlyMap<string, SecretValue> = new Map();
  #started: ReadonlyMap<string, SecretValue> | null = null;

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
    return !isEqual(environment, this.#started ?? new Map());
  }

  readonly activator: Activator = {
    prepare: async () => ({ knownIds: this.#ids(), dormant: false }),
    activate: async () => {
      const environment = this.#staged;
      const incarnation = await this.#runner.restart(environment);
      this.#started = environment;
      return { id: idOf(incarnation) };
    },
    follow: async (asked) =>
      asked.map(({ id }) => {
        const current = this.#runner.current();
        if (current === null) return { state: "failed", id, reason: "the process ended" };
        if (idOf(current) !== id) return { state: "not-started", reason: "the process was not started anew" };
        return { state: "succeeded", id, incarnation: { ...current } };
      }),
  };

  #ids(): readonly string[] {
    const current = this.#runner.current();
    return current === null ? [] : [idOf(current)];
  }
}

function idOf({ bootId, pid, startedAt }: Incarnation): string {
  return `${bootId}/${pid}/${startedAt}`;
}

function isEqual(left: ReadonlyMap<string, SecretValue>, right: ReadonlyMap<string, SecretValue>): boolean {
  if (left.size !== right.size) return false;
  return [...left].every(([key, value]) => right.get(key)?.reveal() === value.reveal());
}

/** For a place that only a child has. */
export function noChild(key: string): LockstepError {
  return new LockstepError(
    "UNSUPPORTED",
    `${key} is to be given to a process, and this agent starts none: use \`lockstep run -- CMD\`, or bind it to a file.`,
  );
}
