/**
 * Where a demo happens: a temporary directory of its own, processes of its own, and the guard that outlives it. What
 * is launched here never touches the user's own Lockstep: HOME is the stage's, and of the user's environment only
 * what `childEnvironment` lets through arrives.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { childEnvironment } from "../lib/child-environment.ts";

export interface LaunchOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly workingDirectory?: string;
}

const extension = extname(fileURLToPath(import.meta.url));

/** A program of this release, as Node's parameters: `demo/guard`, `main`. */
export function ownProgram(name: string): string {
  return fileURLToPath(new URL(`../${name}${extension}`, import.meta.url));
}

export class Stage {
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly #guard: ChildProcess;
  readonly #undo: (() => Promise<void>)[] = [];
  #closing: Promise<number> | null = null;

  constructor(own: Readonly<Record<string, string | undefined>>) {
    // As links lead: what writes here checks every directory on the way.
    this.directory = realpathSync(mkdtempSync(join(tmpdir(), "lockstep-demo-")));
    chmodSync(this.directory, 0o700);
    const home = join(this.directory, "home");
    mkdirSync(home, { mode: 0o700 });
    this.environment = childEnvironment(own, { HOME: home });
    this.#guard = spawn(process.execPath, [ownProgram("demo/guard")], {
      cwd: "/",
      detached: true,
      env: this.environment,
      stdio: ["pipe", "pipe", "ignore"],
    });
    this.#guard.stdin?.on("error", () => undefined);
    this.#tell({ directory: this.directory });
  }

  /** A directory of this name on the stage. */
  room(name: string): string {
    const path = join(this.directory, name);
    mkdirSync(path, { mode: 0o700, recursive: true });
    return path;
  }

  /** Leads a process group of its own, so that a terminal's Ctrl-C reaches the demo alone, which ends it in order. */
  launch(program: string, parameters: readonly string[], options: LaunchOptions = {}): ChildProcess {
    const child = spawn(program, parameters, {
      cwd: options.workingDirectory ?? this.directory,
      detached: true,
      env: { ...this.environment, ...options.environment },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const { pid } = child;
    if (pid !== undefined) {
      this.watch(pid);
      child.once("exit", () => this.#tell({ ended: pid }));
    }
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on("error", () => undefined);
    return child;
  }

  /** Puts a process that somebody else started under the guard. */
  watch(pid: number): void {
    this.#tell({ pid });
  }

  watchPidFile(pidFile: string): void {
    this.#tell({ pidFile });
  }

  /** Runs at the end, the last one first. */
  atEnd(step: () => Promise<void>): void {
    this.#undo.push(step);
  }

  /** Ends everything and removes the directory. Answers how many processes the guard had to end itself. */
  close(): Promise<number> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<number> {
    for (const step of this.#undo.splice(0).reverse()) await step().catch(() => undefined);
    const said = this.#guard.stdout === null ? "" : text(this.#guard.stdout);
    this.#guard.stdin?.end();
    const { found } = JSON.parse((await said) || '{"found":0}') as { readonly found: number };
    return found;
  }

  #tell(line: object): void {
    this.#guard.stdin?.write(`${JSON.stringify(line)}\n`);
  }
}

/** Asks a child to end, and waits; the guard sees to one that does not listen. */
export async function endChild(child: ChildProcess, patienceMs = 15_000): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, patienceMs);
    child.once("exit", () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill("SIGTERM");
  });
}
