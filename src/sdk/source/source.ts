/**
 * Where an application's two values come from: the environment, a file that is followed, or a function. Whatever it
 * is, reading never throws: what cannot be read leaves the last good values standing, and is told.
 *
 * Not here: what the values are for. The verifier and the caller read the same way.
 */
import { type FileSource, followFile } from "./file-source.ts";
import { failed, type SourceError, type Tell } from "./source-error.ts";
import { NO_VALUES, type OpenSource, usable } from "./values.ts";

/** Called before every use, so it must answer from memory. What it throws leaves the last good values standing. */
export type FunctionSource = () => {
  readonly primary?: string | undefined;
  readonly fallback?: string | undefined;
};

export interface SourceOptions {
  /** The variable that holds the primary value: `INTERNAL_AUTH_SECRET`. */
  readonly name: string;
  /** The variable that holds the fallback. Default: the name with `_FALLBACK` behind it. */
  readonly fallbackName?: string;
  /** Default: the process's environment. */
  readonly source?: FileSource | FunctionSource;
  /** Told once for each new failure. It never holds a value. Default: a process warning. */
  readonly onSourceError?: (error: SourceError) => void;
}

/** Throws a TypeError when a name is empty, or both slots have the same. */
export function openSource(options: SourceOptions): OpenSource {
  const names = { primary: options.name, fallback: options.fallbackName ?? `${options.name}_FALLBACK` };
  if (names.primary === "" || names.fallback === "") throw new TypeError("a variable's name is empty");
  if (names.primary === names.fallback) throw new TypeError("primary and fallback have the same name");
  const tell = onceEach(options.onSourceError ?? warn);
  const { source } = options;
  if (source === undefined) {
    return {
      read: () => usable({ primary: process.env[names.primary], fallback: process.env[names.fallback] }),
      close: () => undefined,
    };
  }
  return typeof source === "function" ? askFunction(source, tell) : followFile(source, names, tell);
}

function askFunction(source: FunctionSource, tell: Tell): OpenSource {
  let last = NO_VALUES;
  return {
    read() {
      try {
        last = usable(source());
        tell(null);
      } catch {
        // The cause is somebody else's error, and may hold what it read.
        tell(failed("SOURCE_UNREADABLE", "the source function failed"));
      }
      return last;
    },
    close: () => undefined,
  };
}

/** A file that stays unreadable is looked at every few seconds; once is enough to know. */
function onceEach(listener: (error: SourceError) => void): Tell {
  let told = "";
  return (error) => {
    const text = error?.message ?? "";
    if (error !== null && text !== told) listener(error);
    told = text;
  };
}

function warn(error: SourceError): void {
  process.emitWarning(error.message, { code: error.code });
}
