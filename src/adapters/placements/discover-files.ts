/**
 * Looks around on a host, in safe bounds: the other keys of the configured files, and the files beside them that a
 * dotenv reader would take as well. Nothing else of the host is read.
 */
import { posix } from "node:path";
import { toLockstepError } from "../../core/errors.ts";
import type { DiscoveredKey, Discovery, Interest } from "../../core/ports/discoverer.ts";
import type { Host } from "../../core/ports/host.ts";
import { SecretValue } from "../../core/secret-value.ts";
import type { Format } from "./formats/format.ts";
import { type FormatChoice, type FormatName, formatFor } from "./formats/formats.ts";
import { type PlacedFile, textOf } from "./placement.ts";

/** What dotenv's readers take from a directory, most often. */
const SIBLINGS = [".env", ".env.local", ".env.production"] as const;
/** Each read is one request to the host. */
const MAX_SIBLINGS = 24;

interface Looked extends FormatChoice {
  readonly path: string;
  readonly format: FormatName;
  readonly configured: boolean;
}

export async function discoverFiles(
  host: Host,
  files: readonly PlacedFile[],
  placeOf: (path: string) => string,
  interest: Interest,
  signal: AbortSignal,
): Promise<Discovery> {
  const found: DiscoveredKey[] = [];
  const unseen: { name: string; reason: string }[] = [];
  for (const file of [...files.map(configured), ...siblingsOf(files)]) {
    try {
      const text = textOf(await host.read(file.path, signal), file.path);
      if (text === null) continue;
      const seen = foundIn(file, text, placeOf(file.path), interest);
      found.push(...seen.found);
      unseen.push(...[...seen.reasons].map((reason) => ({ name: file.path, reason })));
    } catch (error) {
      const failure = toLockstepError(error);
      // A file is its own matter; a host that does not answer is not.
      if (failure.family !== "rejected" || failure.code === "TARGET_CREDENTIAL_REJECTED") throw failure;
      unseen.push({ name: file.path, reason: failure.message });
    }
  }
  return { found, unseen };
}

interface FoundIn {
  readonly found: readonly DiscoveredKey[];
  /** Why single keys could not be read. */
  readonly reasons: ReadonlySet<string>;
}

function foundIn(file: Looked, text: string, place: string, interest: Interest): FoundIn {
  const format = formatFor(file);
  const keys = new Set([...(format.keys?.(text) ?? []), ...interest.keys].filter((key) => isKey(file, key)));
  const { values, reasons } = readEach(format, text, [...keys]);
  const found = values.flatMap(([key, text]): DiscoveredKey[] => {
    const value = SecretValue.of(text);
    if (!interest.keys.has(key) && !interest.knows(value)) return [];
    const observed = { state: "present", value } as const;
    return [{ locationKey: place, name: file.path, placement: file.path, key, observed, config: null, file }];
  });
  return { found, reasons };
}

/** One key that cannot be read, somebody's long text without quotes for example, hides no other. */
function readEach(format: Format, text: string, keys: readonly string[]) {
  const reasons = new Set<string>();
  try {
    return { values: [...format.read(text, keys)], reasons };
  } catch {
    const values = keys.flatMap((key) => {
      try {
        return [...format.read(text, [key])];
      } catch (error) {
        reasons.add(toLockstepError(error).message);
        return [];
      }
    });
    return { values, reasons };
  }
}

function isKey({ format }: Looked, key: string): boolean {
  try {
    formatFor({ format }).assertKey(key);
    return true;
  } catch {
    return false;
  }
}

function configured({ path, format, reader, newline }: PlacedFile): Looked {
  return { path, format, reader, newline, configured: true };
}

function siblingsOf(files: readonly PlacedFile[]): readonly Looked[] {
  const known = new Set(files.map(({ path }) => path));
  const directories = [...new Set(files.map(({ path }) => posix.dirname(path)))];
  return directories
    .flatMap((directory) => SIBLINGS.map((name) => posix.join(directory, name)))
    .filter((path) => !known.has(path))
    .slice(0, MAX_SIBLINGS)
    .map((path) => ({ path, format: "dotenv", configured: false }));
}
