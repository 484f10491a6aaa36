/**
 * `lockstep run -- CMD`: keeps one program running with its secrets in its environment.
 *
 * Promises: values reach the program's environment and nothing else (no argument, no file, no log); it inherits only
 * what `baseEnvironment` holds; its stdin, stdout and stderr are ours; signals that we get are passed on; our exit
 * code is its own (128 + number after a signal); there are never two of it. That it runs with certain values is known
 * first-hand, because nobody else started it: evidence `running`, by its number and start time.
 *
 * The program leads a session and process group of its own, so that it ends with its children. Signals that end go
 * to the whole group, as a terminal or systemd sends them; those that only tell something (SIGHUP, SIGUSR1…) go to
 * the program alone, because helpers that do not know them would die.
 *
 * As process 1 of a container nobody reaps orphans: Node waits for its own children alone. Containers with such
 * programs need an init (`docker run --init`, `init: true`); `pidOneRemark` says so.
 *
 * Leaves to others: which values, when they change, and telling the server.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import type { SecretValue } from "../../../core/secret-value.ts";
import { assertNever } from "../../../lib/assert-never.ts";
import { lifeOfProcess, type ProcessLife } from "../../../lib/process-life.ts";
import {
  CHILD_DEFAULTS,
  type ChildAction,
  type ChildEvent,
  type ChildSettings,
  type ChildTimer,
  newChild,
  type ReportedState,
  stepChild,
} from "./child-machine.ts";

export interface ChildValues {
  /** Over which versions these are; equal digests are equal values. */
  readonly digest: string;
  readonly variables: ReadonlyMap<string, SecretValue>;
}

export interface ChildReport {
  readonly state: ReportedState;
  /** Of the values that the child was started with. */
  readonly digest: string;
  /** Null when no child lives, or the system does not tell. */
  readonly incarnation: ProcessLife | null;
  /** In words; null when all is well. Never holds a value or a word of the program. */
  readonly reason: string | null;
}

export interface RunChildOptions extends Partial<ChildSettings> {
  /** Program and arguments; no shell reads them. The program is looked for on the PATH of `baseEnvironment`. */
  readonly argv: readonly [string, ...string[]];
  readonly values: ChildValues;
  /** What `childEnvironment` leaves of our own environment, and what the caller adds. */
  readonly baseEnvironment: Readonly<Record<string, string>>;
  readonly onReport?: (report: ChildReport) => void;
  /** Passes on what our own process gets. Default true. */
  readonly forwardSignals?: boolean;
}

export interface SupervisedChild {
  /** The values changed: restarts with the newest, unless they are those that it runs with. */
  change(values: ChildValues): void;
  /** As if our process had got this signal. */
  signal(name: NodeJS.Signals): void;
  /** The exit code for our own process, once all is over. Never rejects. */
  readonly ended: Promise<number>;
  /** The last report; null before the first. */
  current(): ChildReport | null;
}

const FORWARDED: readonly NodeJS.Signals[] = [
  "SIGTERM",
  "SIGINT",
  "SIGQUIT",
  "SIGHUP",
  "SIGUSR1",
  "SIGUSR2",
  "SIGWINCH",
  "SIGCONT",
];
const TO_THE_GROUP: ReadonlySet<NodeJS.Signals> = new Set([
  "SIGTERM",
  "SIGINT",
  "SIGQUIT",
  "SIGKILL",
  "SIGCONT",
]);
/** As shells say it: not found, and found but not executable. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

export function runChild(options: RunChildOptions): SupervisedChild {
  const supervisor = new Supervisor(options);
  supervisor.begin();
  return supervisor;
}

/** What to tell a person who runs this as process 1; null elsewhere. */
export function pidOneRemark(pid: number): string | null {
  if (pid !== 1) return null;
  return "lockstep is process 1 of this container and cannot reap orphans; start the container with --init (compose: init: true).";
}

class Supervisor implements SupervisedChild {
  readonly ended: Promise<number>;
  readonly #options: RunChildOptions;
  readonly #settings: ChildSettings;
  readonly #timers = new Map<ChildTimer, NodeJS.Timeout>();
  readonly #listeners = new Map<NodeJS.Signals, () => void>();
  #resolveEnded: (code: number) => void = () => undefined;
  #state;
  #values: ChildValues;
  #child: ChildProcess | null = null;
  #life: ProcessLife | null = null;
  #last: ChildReport | null = null;

  constructor(options: RunChildOptions) {
    this.#options = options;
    this.#settings = { ...CHILD_DEFAULTS, ...options };
    this.#values = options.values;
    this.#state = newChild(options.values.digest);
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  begin(): void {
    for (const name of this.#options.forwardSignals === false ? [] : FORWARDED) {
      const listener = () => this.signal(name);
      this.#listeners.set(name, listener);
      process.on(name, listener);
    }
    this.#take({ kind: "start" });
  }

  change(values: ChildValues): void {
    this.#values = values;
    this.#take({ kind: "changed", digest: values.digest });
  }

  signal(name: NodeJS.Signals): void {
    this.#take({ kind: "signal", signal: name, code: 128 + constants.signals[name] });
  }

  current(): ChildReport | null {
    return this.#last;
  }

  #take(event: ChildEvent): void {
    const { state, actions } = stepChild(this.#state, event, this.#settings);
    this.#state = state;
    for (const action of actions) this.#do(action);
  }

  #do(action: ChildAction): void {
    switch (action.kind) {
      case "spawn":
        this.#spawn();
        break;
      case "send":
        this.#send(action.signal);
        break;
      case "set-timer":
        this.#setTimer(action.timer, action.ms);
        break;
      case "clear-timer":
        clearTimeout(this.#timers.get(action.timer));
        break;
      case "report":
        this.#report(action.state, action.reason);
        break;
      case "end":
        this.#end(action.code);
        break;
      default:
        assertNever(action);
    }
  }

  #setTimer(name: ChildTimer, ms: number): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.set(
      name,
      setTimeout(() => this.#take({ kind: "timer", timer: name }), ms),
    );
  }

  #end(code: number): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    for (const [name, listener] of this.#listeners) process.off(name, listener);
    this.#resolveEnded(code);
  }

  #spawn(): void {
    const [program, ...args] = this.#options.argv;
    const secrets = [...this.#values.variables].map(([key, value]) => [key, value.reveal()] as const);
    let child: ChildProcess;
    try {
      child = spawn(program, args, {
        env: { ...this.#options.baseEnvironment, ...Object.fromEntries(secrets) },
        stdio: "inherit",
        detached: true,
      });
    } catch {
      // A word that no program can be given: a NUL, or too much of everything.
      setImmediate(() => this.#take({ kind: "exited", code: NOT_EXECUTABLE }));
      return;
    }
    this.#child = child;
    this.#life = null;
    let isOver = false;
    const over = (code: number) => {
      if (isOver) return;
      isOver = true;
      this.#sweep(child);
      this.#child = null;
      this.#life = null;
      this.#take({ kind: "exited", code });
    };
    child.once("spawn", () => void this.#spawned(child));
    child.once("error", (error: NodeJS.ErrnoException) => {
      // Also emitted when a signal could not be sent: then it lives, and its end will be told.
      if (child.pid === undefined) over(error.code === "ENOENT" ? NOT_FOUND : NOT_EXECUTABLE);
    });
    child.once("exit", (code, signal) =>
      over(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
    );
  }

  /** Node says "spawn" after exec has worked: from here on the environment is what we gave. */
  async #spawned(child: ChildProcess): Promise<void> {
    this.#take({ kind: "spawned" });
    const life = child.pid === undefined ? null : await lifeOfProcess(child.pid);
    if (this.#child !== child) return;
    this.#life = life;
    if (this.#last !== null) this.#report(this.#last.state, this.#last.reason);
  }

  #send(name: NodeJS.Signals): void {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    try {
      process.kill(TO_THE_GROUP.has(name) ? -pid : pid, name);
    } catch {
      // It ended by itself meanwhile, which will be told.
    }
  }

  /** What the program left behind could hold its port, or its old values. */
  #sweep({ pid }: ChildProcess): void {
    if (pid === undefined) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // Nobody is left.
    }
  }

  #report(state: ReportedState, reason: string | null): void {
    this.#last = {
      state,
      digest: this.#state.digest ?? this.#values.digest,
      incarnation: this.#life,
      reason,
    };
    this.#options.onReport?.(this.#last);
  }
}
