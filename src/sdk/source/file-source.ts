/**
 * A file whose values are followed without a restart. Its directory is watched, because a file that is replaced by a
 * rename takes a watch on itself along; and its times are looked at now and then, because network and container file
 * systems send no events.
 *
 * What is missing, unreadable, half written or without the primary value never takes the last good values away: a
 * shrunken file must not lock callers out. Who wants to shut off a value writes another.
 *
 * A writer that does not rename lets a file be seen empty and in part. So another value is taken only after two reads a
 * while apart saw the same file and the same values; a file that does not end as whole ones do has to stand longer. Until
 * then the values before stay.
 *
 * Reads are synchronous: a file of a few lines, only after a change.
 */
import {
  closeSync,
  constants,
  type FSWatcher,
  fstatSync,
  openSync,
  readFileSync,
  statSync,
  watch,
} from "node:fs";
import { basename, dirname } from "node:path";
import { parseDotenv, parseJson } from "./parse-values.ts";
import { failed, SourceError, type Tell } from "./source-error.ts";
import { NO_VALUES, type OpenSource, type SlotNames, usable, type Values } from "./values.ts";

const POLL_MS = 2_000;
const MAX_BYTES = 1024 * 1024;
/** How long a changed file must stand as it is. */
const SETTLE_MS = 200;
/** Without a line end, a file may be the beginning of one; those that Lockstep writes have it. */
const UNENDED_SETTLE_MS = 2_000;

export interface FileSource {
  readonly file: string;
  /**
   * - `dotenv`: the names are variables, the last assignment wins.
   * - `json`: the names are paths, `gateway.auth.token` or a JSON pointer `/gateway/auth.token`.
   * - `raw`: the whole file is the primary value, without one line end; the fallback is a file of its own.
   */
  readonly format: "dotenv" | "json" | "raw";
  /** For `raw` alone. Default: the file's path with `_FALLBACK` behind it. No such file is no fallback. */
  readonly fallbackFile?: string;
  /** How often the file is looked at beside the directory's events, in milliseconds. Default 2000. */
  readonly pollMs?: number;
}

interface Candidate {
  readonly stamp: string;
  readonly values: Values;
  readonly sinceMs: number;
}

/** The first read happens before it returns. Nothing here keeps the process alive. */
export function followFile(source: FileSource, names: SlotNames, tell: Tell): OpenSource {
  const files = filesOf(source);
  let values = NO_VALUES;
  let seen = "";
  let watcher: FSWatcher | undefined;
  let candidate: Candidate | null = null;
  let settling: NodeJS.Timeout | undefined;

  /** Whether these values stood long enough; otherwise they are looked at again. */
  function isSettled(found: Values, stamp: string, isEnded: boolean): boolean {
    if (values === NO_VALUES || isSame(found, values)) return true;
    const settleMs = isEnded ? SETTLE_MS : UNENDED_SETTLE_MS;
    if (candidate?.stamp !== stamp || !isSame(candidate.values, found))
      candidate = { stamp, values: found, sinceMs: performance.now() };
    const leftMs = candidate.sinceMs + settleMs - performance.now();
    if (leftMs <= 0) return true;
    clearTimeout(settling);
    settling = setTimeout(load, leftMs).unref();
    return false;
  }

  function load(): void {
    // Taken before reading: a change in between makes the next look differ.
    const stamp = stampOf(files);
    try {
      const { values: found, isEnded } = valuesIn(source, names);
      // Written while it was read: the event, or the next look, comes again.
      if (stampOf(files) !== stamp) {
        seen = "";
        return;
      }
      if (!isSettled(found, stamp, isEnded)) return;
      values = found;
      candidate = null;
      seen = stamp;
      tell(null);
    } catch (error) {
      seen = "";
      candidate = null;
      tell(error instanceof SourceError ? error : failed("SOURCE_UNREADABLE", "its file cannot be read"));
    }
  }

  function look(): void {
    if (seen === "" || stampOf(files) !== seen) load();
    if (watcher === undefined) watchDirectory();
  }

  function watchDirectory(): void {
    try {
      watcher = watch(dirname(source.file), { persistent: false }, (_, changed) => {
        // Two writes of one size within a tick of the clock look alike by their times; the event does tell them
        // apart. Other names matter too: Kubernetes swaps a link beside the file.
        if (changed === basename(source.file)) load();
        else look();
      });
      watcher.on("error", () => {
        watcher?.close();
        watcher = undefined;
      });
    } catch {
      // No such directory yet, or no watches left: the next look tries again.
      watcher = undefined;
    }
  }

  watchDirectory();
  load();
  const timer = setInterval(look, source.pollMs ?? POLL_MS).unref();
  return {
    read: () => values,
    close() {
      clearInterval(timer);
      clearTimeout(settling);
      watcher?.close();
    },
  };
}

function filesOf({ file, format, fallbackFile }: FileSource): readonly string[] {
  return format === "raw" ? [file, fallbackFile ?? `${file}_FALLBACK`] : [file];
}

function stampOf(files: readonly string[]): string {
  return files
    .map((file) => {
      try {
        const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
        return [dev, ino, size, mtimeNs, ctimeNs].join(":");
      } catch {
        return "none";
      }
    })
    .join(" ");
}

function isSame(left: Values, right: Values): boolean {
  return left.primary === right.primary && left.fallback === right.fallback;
}

interface Read {
  readonly values: Partial<Values>;
  /** It ends as whole files of its format do. */
  readonly isEnded: boolean;
}

function valuesIn(
  source: FileSource,
  names: SlotNames,
): { readonly values: Values; readonly isEnded: boolean } {
  const read = source.format === "raw" ? readRaw(source) : readNamed(source, names);
  const values = usable(read.values);
  if (values.primary === undefined) {
    const what = source.format === "raw" ? "is empty" : `holds no ${names.primary}`;
    throw failed("SOURCE_INCOMPLETE", `${source.file} ${what}`);
  }
  return { values, isEnded: read.isEnded };
}

function readNamed({ file, format }: FileSource, names: SlotNames): Read {
  const text = readText(file);
  if (format === "dotenv") {
    const values = parseDotenv(text, names);
    if ("line" in values)
      throw failed(
        "SOURCE_INVALID",
        `${file} holds ${values.name} without quotes, and line ${values.line} shows that it goes on over several lines`,
      );
    for (const value of [values.primary, values.fallback])
      if (/^['"`]/.test(value ?? "")) throw failed("SOURCE_INVALID", `${file} has a quote that does not end`);
    return { values, isEnded: text.endsWith("\n") };
  }
  const values = parseJson(text, names);
  if (values === null) throw failed("SOURCE_INVALID", `${file} is not valid JSON`);
  // What JSON begins, it ends.
  return { values, isEnded: true };
}

function readRaw(source: FileSource): Read {
  let isEnded = true;
  const [primary = "", fallback = ""] = filesOf(source).map((file, index) => {
    try {
      const text = readText(file);
      if (!text.endsWith("\n")) isEnded = false;
      return text.replace(/\r?\n$/, "");
    } catch (error) {
      const isFallback = index === 1;
      if (isFallback && statSync(file, { throwIfNoEntry: false }) === undefined) return "";
      throw error;
    }
  });
  return { values: { primary, fallback }, isEnded };
}

/** Throws SOURCE_UNREADABLE with the system's code. */
function readText(file: string): string {
  let handle: number | undefined;
  try {
    // Without the second flag, opening a pipe would wait for a writer.
    handle = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const stat = fstatSync(handle);
    if (!stat.isFile()) throw failed("SOURCE_UNREADABLE", `${file} is not a file`);
    if (stat.size > MAX_BYTES) throw failed("SOURCE_UNREADABLE", `${file} is larger than 1 MiB`);
    return readFileSync(handle, "utf8");
  } catch (error) {
    if (error instanceof SourceError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw failed("SOURCE_UNREADABLE", `${file} cannot be read (${code})`);
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}
