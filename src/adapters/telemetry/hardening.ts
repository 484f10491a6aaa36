/**
 * What a process checks and closes before it does anything else. `before-all.ts` calls it for its effect.
 *
 * - `DEBUG` makes libraries print the data that they send: it is dropped before they are imported.
 * - `NODE_DEBUG` does the same for Node's own modules, which read it before any of our code runs. Dropping it changes
 *   nothing (measured: `NODE_DEBUG=http` prints request headers all the same), so such a start is refused.
 * - Whoever may pass `--inspect` or ask for heap snapshots can read every value in memory: such a start is refused.
 * - `NODE_TLS_REJECT_UNAUTHORIZED=0` lets anyone on the line read what is pushed: such a start is refused.
 * - Node opens its inspector on SIGUSR1; a listener of our own prevents it.
 * - Node prints an error that nobody caught with its message and every field, which may quote values: only where it
 *   happened is printed.
 *
 * Root on this machine can still read the process: it is the trust anchor, and nothing here pretends otherwise.
 */
const EXPOSING =
  /^--(?:inspect|debug|heapsnapshot|heap-prof|cpu-prof|diagnostic-dir|report-|experimental-report|abort-on-uncaught-exception|tls-keylog)/;

const FRAME =
  /^ {4}at (?:[^()]{1,200} \()?(?:file:\/\/|node:|\/)\S{1,300}:\d+:\d+\)?$|^ {4}at (?:async )?new Promise \(<anonymous>\)$|^ {4}at async Promise\.\w+ \(index \d+\)$/;

const EXPOSING_VARIABLES = ["NODE_DEBUG", "NODE_DEBUG_NATIVE"];

export interface Start {
  readonly execArgv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Options and variables of a start that would expose values. Names only: a variable's content is not repeated. */
export function exposuresOf({ execArgv, env }: Start): readonly string[] {
  const options = [...execArgv, ...wordsOf(env["NODE_OPTIONS"] ?? "")].map(canonical);
  const variables = EXPOSING_VARIABLES.filter((name) => (env[name] ?? "") !== "");
  if (env["NODE_TLS_REJECT_UNAUTHORIZED"] === "0") variables.push("NODE_TLS_REJECT_UNAUTHORIZED=0");
  return [...options.filter((option) => EXPOSING.test(option)), ...variables];
}

/** Ends the process with exit code 64 when its start would expose values. */
export function harden(): void {
  const exposures = exposuresOf({ execArgv: process.execArgv, env: process.env });
  if (exposures.length > 0) {
    process.stderr.write(
      `error SETTING_INVALID: Cannot start with ${exposures.join(", ")}: it would expose values to others.\n` +
        "fix: Unset it, or start without it; options may also stand in NODE_OPTIONS.\n",
    );
    process.exit(64);
  }
  delete process.env["DEBUG"];
  process.on("SIGUSR1", () => undefined);
  // A rejection that nobody handles arrives here as well.
  process.on("uncaughtException", (error: unknown) => {
    process.stderr.write(
      `error INTERNAL: Lockstep stopped at an unexpected failure.\n${framesOf(error).join("\n")}\n` +
        "fix: This is a defect of Lockstep; please report it with these lines.\n",
    );
    process.exit(1);
  });
}

/**
 * Where an error happened, without its message, which may hold anything, and in several lines: only the block of frames
 * at the end is told, and only lines that name a place in code.
 */
export function framesOf(error: unknown): readonly string[] {
  if (!(error instanceof Error) || typeof error.stack !== "string") return [];
  const told = error.message === "" ? 0 : error.stack.indexOf(error.message) + error.message.length;
  const lines = error.stack.slice(Math.max(0, told)).split("\n");
  return lines.slice(lines.findLastIndex((line) => !FRAME.test(line)) + 1);
}

/** NODE_OPTIONS knows quotes and backslashes; without them a word can only look more dangerous than it is. */
function wordsOf(nodeOptions: string): readonly string[] {
  return nodeOptions
    .replaceAll(/["\\]/g, "")
    .split(/\s+/)
    .filter((word) => word !== "");
}

/** Node takes `_` for `-` in an option's name. What follows `=` may be a path, and is dropped. */
function canonical(option: string): string {
  const [name = ""] = option.split("=");
  return name.replaceAll("_", "-");
}
