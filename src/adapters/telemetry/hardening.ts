/**
 * What a process does before anything else is imported; `main.ts` imports this first, for its effect.
 *
 * - `DEBUG` and `NODE_DEBUG` make libraries print the data that they send: they are dropped.
 * - Whoever may pass `--inspect` or ask for heap snapshots can read every value in memory: such a start is refused.
 * - Node opens its inspector on SIGUSR1; a listener of our own prevents it.
 *
 * Root on this machine can still read the process: it is the trust anchor, and nothing here pretends otherwise.
 */
const DANGEROUS = /^--(?:inspect|heapsnapshot|heap-prof|cpu-prof|diagnostic-dir|report-on)/;

/** The options of a start that would expose the process's memory. Pure, for tests. */
export function exposingOptions(execArgv: readonly string[], nodeOptions: string): readonly string[] {
  return [...execArgv, ...nodeOptions.split(/\s+/)].filter((option) => DANGEROUS.test(option));
}

export function harden(): void {
  delete process.env["DEBUG"];
  delete process.env["NODE_DEBUG"];
  const exposing = exposingOptions(process.execArgv, process.env["NODE_OPTIONS"] ?? "");
  if (exposing.length > 0) {
    process.stderr.write(
      `error SETTING_INVALID: Cannot start with ${exposing.join(" ")}: it would expose every value in memory.\n` +
        "fix: Start without it, and look at NODE_OPTIONS.\n",
    );
    process.exit(64);
  }
  process.on("SIGUSR1", () => undefined);
}

harden();
