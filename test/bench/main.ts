/**
 * `npm run bench -- NAME [--quick] [--json]`: runs one bench and prints its figures, the conditions and the hardware.
 * With `--json` the last line of stdout is one JSON object. Ends everything it started, also on Ctrl-C.
 *
 * Exit codes: 0 measured, 1 failed, 64 wrong usage, 130 interrupted.
 */
import { setMaxListeners } from "node:events";
import { toLockstepError } from "../../src/core/errors.ts";
import { BENCHES } from "./benches.ts";
import { hardware } from "./support/hardware.ts";
import { reportText } from "./support/print.ts";

/** What a quick bench must not exceed, and what no bench should. */
const QUICK_MS = 50_000;
const LONGEST_MS = 30 * 60_000;
/** Within the limit there must be time left to end the servers. */
const CLEAN_UP_MS = 4_000;

const FLAGS = new Set(["--quick", "--json", "--list"]);

async function main(words: readonly string[]): Promise<number> {
  const flags = new Set(words.filter((word) => word.startsWith("-")));
  const [name, ...others] = words.filter((word) => !word.startsWith("-"));
  const unknown = [...flags].find((flag) => !FLAGS.has(flag));
  if (flags.has("--list") && unknown === undefined) {
    process.stdout.write(list());
    return 0;
  }
  const known = name === undefined ? undefined : Object.entries(BENCHES).find(([one]) => one === name)?.[1];
  if (known === undefined || name === undefined || others.length > 0 || unknown !== undefined) {
    const what = unknown === undefined ? `no bench "${words.join(" ")}"` : `unknown flag ${unknown}`;
    process.stderr.write(`bench: ${what}\n\nusage: npm run bench -- NAME [--quick] [--json]\n\n${list()}`);
    return 64;
  }
  const quick = flags.has("--quick");
  const stopping = new AbortController();
  // Hundreds of pieces of work listen to it at once.
  setMaxListeners(0, stopping.signal);
  let interrupted = false;
  const interrupt = (): void => {
    // The second time somebody means it.
    if (stopping.signal.aborted) process.exit(130);
    process.stderr.write("bench: ending what was started\n");
    interrupted = true;
    stopping.abort(new Error("interrupted"));
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  const limitMs = quick ? QUICK_MS : LONGEST_MS;
  const timer = setTimeout(
    () => stopping.abort(new Error(`not finished within ${limitMs / 1_000} s`)),
    limitMs - CLEAN_UP_MS,
  );
  const steps: (() => Promise<unknown> | unknown)[] = [];
  const machine = hardware();
  const began = performance.now();
  try {
    const bench = await known.load();
    const report = await unlessAborted(
      bench.run({
        quick,
        signal: stopping.signal,
        say: (line) =>
          process.stderr.write(
            `${((performance.now() - began) / 1_000).toFixed(1).padStart(6)} s  ${line}\n`,
          ),
        cleanUp: (step) => steps.push(step),
      }),
      stopping.signal,
    );
    process.stdout.write(`${reportText(name, report, machine)}\n`);
    if (flags.has("--json")) {
      process.stdout.write(
        `${JSON.stringify({ bench: name, quick, ...report.result, hardware: machine })}\n`,
      );
    }
    return 0;
  } catch (error) {
    const { message, code } = toLockstepError(error);
    const why = code === "INTERNAL" && error instanceof Error ? (error.stack ?? error.message) : message;
    process.stderr.write(`bench: ${why}\n`);
    return interrupted ? 130 : 1;
  } finally {
    clearTimeout(timer);
    stopping.abort(new Error("over"));
    for (const step of steps.splice(0).reverse()) {
      await Promise.resolve(step()).catch((error: unknown) =>
        process.stderr.write(`bench: ${String(error)}\n`),
      );
    }
  }
}

function list(): string {
  const width = Math.max(...Object.keys(BENCHES).map((name) => name.length));
  return Object.entries(BENCHES)
    .map(([name, { about }]) => `${name.padEnd(width)}  ${about}\n`)
    .join("");
}

/** What does not listen to the signal is left behind; ending its servers ends it too. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  work.catch(() => undefined);
  aborted.catch(() => undefined);
  return await Promise.race([work, aborted]);
}

// Also when something still holds the event loop: what had to end was ended above.
process.exit(await main(process.argv.slice(2)));
