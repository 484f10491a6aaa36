/**
 * What a process checks and closes before it does anything else. `before-all.ts` calls it for its effect.
 *
 * - `DEBUG` makes libraries print the data that they send: it is dropped before they are imported.
 * - `NODE_DEBUG` does the same for Node's own modules, which read it before any of our code runs. Dropping it changes
 *   nothing (measured: `NODE_DEBUG=http` prints request headers all the same), so such a start is refused.
 * - Whoever may pass `--inspect` or ask for heap snapshots can read every value in memory: such a start is refused.
 * - `NODE_TLS_REJECT_UNAUTHORIZED=0` lets anyone on the line read what is pushed: such a start is refused.
 * - Node opens its inspector on SIGUSR1; a listener of our own prevents it.
 *
 * Root on this machine can still read the process: it is the trust anchor, and nothing here pretends otherwise.
 */
const EXPOSING =
  /^--(?:inspect|debug|heapsnapshot|heap-prof|cpu-prof|diagnostic-dir|report-|experimental-report|abort-on-uncaught-exception|tls-keylog)/;

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
        "fix: Start without it, and look at NODE_OPTIONS.\n",
    );
    process.exit(64);
  }
  delete process.env["DEBUG"];
  process.on("SIGUSR1", () => undefined);
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
