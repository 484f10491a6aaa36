/**
 * Lockstep as its user has it: the command line, as processes. The demo knows the product by nothing else, so what it
 * shows is what a user gets. Each command is shown as it would be typed, with what it really printed.
 */
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { shellCommand, shellQuote } from "../lib/shell-quote.ts";
import type { Screen } from "./screen.ts";
import { endChild, ownProgram, type Stage } from "./stage.ts";

export interface Ran {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

export interface ProductOptions {
  readonly stage: Stage;
  readonly screen: Screen;
  readonly dataDirectory: string;
  /** Where lockstep.yaml lies. */
  readonly workingDirectory: string;
  readonly signal: AbortSignal;
}

const START_TIMEOUT_MS = 30_000;

export class Product {
  readonly #options: ProductOptions;
  #environment: Readonly<Record<string, string>>;
  #url = "";

  constructor(options: ProductOptions) {
    this.#options = options;
    this.#environment = {
      LOCKSTEP_DATA: options.dataDirectory,
      LOCKSTEP_QUIET_SECONDS: "1",
      ...options.screen.childStyle,
    };
  }

  get url(): string {
    return this.#url;
  }

  /** For commands from now on, as in `export NAME=…`. */
  export(variables: Readonly<Record<string, string>>): void {
    this.#environment = { ...this.#environment, ...variables };
  }

  /** For a person's own terminal. */
  asShellLines(): readonly string[] {
    const program = shellCommand([process.execPath, ownProgram("main")]);
    const names = Object.entries(this.#environment).filter(([name]) => !/COLOR|COLUMNS/.test(name));
    const exports = names.map(([name, value]) => `export ${name}=${shellQuote(value)}`);
    return [`alias lockstep=${shellQuote(program)}`, ...exports];
  }

  /**
   * Starts a long-running role and shows the lines that it greets with, up to the one that matches. `surroundings`: of
   * another machine, where it has some.
   */
  async start(
    words: readonly string[],
    greeting: RegExp,
    surroundings: Readonly<Record<string, string>> = {},
  ): Promise<{ child: ChildProcess; said: string }> {
    const { screen, stage, workingDirectory, signal } = this.#options;
    const child = stage.launch(process.execPath, [ownProgram("main"), ...words], {
      environment: { ...this.#environment, ...surroundings },
      workingDirectory,
    });
    stage.atEnd(() => endChild(child));
    const isAgent = words[0] === "agent";
    let complaint = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      complaint = `${complaint}${chunk.toString()}`.slice(-4_096);
    });
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(START_TIMEOUT_MS)]);
    const said = await new Promise<string>((resolve, reject) => {
      let lines = "";
      const fail = (): void =>
        reject(signal.aborted ? signal.reason : new Error(`${shown(words)} did not start: ${complaint}`));
      deadline.addEventListener("abort", fail, { once: true });
      child.once("exit", fail);
      child.once("error", fail);
      if (child.stdout === null || child.stderr === null) return fail();
      // An agent has nothing to answer: what it says is its log.
      createInterface({ input: isAgent ? child.stderr : child.stdout }).on("line", (line) => {
        lines += `${line}\n`;
        if (greeting.test(line)) resolve(lines);
      });
    });
    screen.command(`${shown(words)}${isAgent ? " &" : ""}`);
    screen.output(said);
    return { child, said };
  }

  async up(): Promise<void> {
    const { said } = await this.start(["up", "--port", "0", "--agents", "127.0.0.1:0"], /token is in/);
    this.#url = /http:\S+/.exec(said)?.[0] ?? "";
  }

  /** Shows the command, runs it, shows what it printed. `meanwhile` is drawn as long as it runs. */
  async run(
    words: readonly string[],
    options: { readonly meanwhile?: () => readonly string[] } = {},
  ): Promise<Ran> {
    const { screen } = this.#options;
    screen.command(shown(words));
    const running = this.quietly(words);
    const ran = await screen.live(options.meanwhile ?? (() => []), running, { passing: true });
    screen.output(ran.stdout);
    // What went wrong belongs to the story; notes of a command that went well do not.
    if (ran.exitCode !== 0) screen.output(ran.stderr);
    return ran;
  }

  /** As `run`; anything but these exit codes ends the demo. */
  async must(words: readonly string[], exitCodes: readonly number[] = [0]): Promise<Ran> {
    const ran = await this.run(words);
    if (ran.exitCode === null || !exitCodes.includes(ran.exitCode)) {
      throw new Error(`${shown(words)} ended with ${ran.exitCode}: ${ran.stderr.trim()}`);
    }
    return ran;
  }

  /** One command's standard output into another that runs elsewhere, as a shell's `|`; shows what the second printed. */
  async pipe(
    from: readonly string[],
    to: readonly string[],
    surroundings: Readonly<Record<string, string>>,
  ): Promise<void> {
    const { screen } = this.#options;
    screen.command(`${shown(from)} | ${shown(to)}`);
    const first = await this.quietly(from);
    const last = first.exitCode === 0 ? await this.quietly(to, { input: first.stdout, surroundings }) : first;
    if (last.exitCode !== 0) throw new Error(`it ended with ${last.exitCode}: ${last.stderr.trim()}`);
    screen.output(last.stdout);
  }

  /** The command's JSON document; shows nothing. */
  async json(words: readonly string[]): Promise<unknown> {
    const { stdout, stderr } = await this.quietly([...words, "--json"]);
    if (stdout === "") throw new Error(`${shown(words)} answered nothing: ${stderr.trim()}`);
    return JSON.parse(stdout);
  }

  /** Runs a line that the product printed, as a person would who pastes it. */
  async mustAsPrinted(line: string): Promise<void> {
    const { screen } = this.#options;
    screen.command(line);
    const program = shellCommand([process.execPath, ownProgram("main")]);
    const running = this.#complete("/bin/sh", ["-c", `lockstep() { ${program} "$@"; }\n${line}`]);
    const ran = await screen.live(() => [], running, { passing: true });
    screen.output(ran.stdout);
    if (ran.exitCode !== 0) throw new Error(`${line} ended with ${ran.exitCode}: ${ran.stderr.trim()}`);
  }

  quietly(
    words: readonly string[],
    options: { readonly input?: string; readonly surroundings?: Readonly<Record<string, string>> } = {},
  ): Promise<Ran> {
    return this.#complete(process.execPath, [ownProgram("main"), ...words], options);
  }

  async #complete(
    program: string,
    parameters: readonly string[],
    options: { readonly input?: string; readonly surroundings?: Readonly<Record<string, string>> } = {},
  ): Promise<Ran> {
    const { stage, workingDirectory, signal } = this.#options;
    signal.throwIfAborted();
    const startedAt = performance.now();
    const child = stage.launch(program, parameters, {
      environment: { ...this.#environment, ...options.surroundings },
      workingDirectory,
    });
    const giveUp = (): void => void child.kill("SIGTERM");
    signal.addEventListener("abort", giveUp, { once: true });
    child.stdin?.end(options.input ?? "");
    const exit = new Promise<number | null>((resolve) => {
      child.once("close", resolve);
      child.once("error", () => resolve(null));
    });
    const [stdout, stderr, exitCode] = await Promise.all([textOf(child.stdout), textOf(child.stderr), exit]);
    signal.removeEventListener("abort", giveUp);
    signal.throwIfAborted();
    return { exitCode, stdout, stderr, ms: Math.round(performance.now() - startedAt) };
  }
}

function shown(words: readonly string[]): string {
  return shellCommand(["lockstep", ...words]);
}

async function textOf(stream: NodeJS.ReadableStream | null): Promise<string> {
  return stream === null ? "" : await text(stream);
}
