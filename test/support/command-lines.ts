/**
 * What whoever is logged in to this machine can read: every process's arguments, also of those that live for a moment. Looks
 * fifty times a second at what is new, and once a second at all: a process that was read ten times without a change hardly
 * becomes another program, and to read hundreds that stay took the time from those that are tried.
 */
import { readdirSync, readFileSync } from "node:fs";

const EVERY_MS = 20;
/** In looks. */
const ALL_EVERY = 50;
const UNCHANGED = 10;

/** Linux only. Ends with `stop`. */
export function watchCommandLines(): { readonly seen: ReadonlySet<string>; stop(): void } {
  const seen = new Set<string>();
  let known = new Map<string, { readonly line: string; readonly times: number }>();
  let looks = 0;
  const look = (): void => {
    looks += 1;
    const now: typeof known = new Map();
    for (const pid of readdirSync("/proc")) {
      if (!/^\d+$/.test(pid)) continue;
      const before = known.get(pid);
      if (before !== undefined && before.times >= UNCHANGED && looks % ALL_EVERY !== 0) {
        now.set(pid, before);
        continue;
      }
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, "utf8");
        seen.add(line);
        now.set(pid, { line, times: before?.line === line ? before.times + 1 : 1 });
      } catch {
        // It ended meanwhile.
      }
    }
    known = now;
  };
  const watching = setInterval(look, EVERY_MS);
  return { seen, stop: () => clearInterval(watching) };
}
