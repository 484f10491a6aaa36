/**
 * Looks around on a host, in safe bounds: the other keys of the configured files, and the files beside them that a
 * dotenv reader would take as well. Nothing else of the host is read.
 */
import { posix } from "node:path";
import { toLockstepError } from "../../core/errors.ts";
import type { DiscoveredKey, Discovery, Interest } from "../../core/ports/discoverer.ts";
import type { Host } from "../../core/ports/host.ts";
import { SecretValue } from "../../core/secret-value.ts";
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
      if (text !== null) found.push(...foundIn(file, text, placeOf(file.path), interest));
    } catch (error) {
      const failure = toLockstepError(error);
      // A file is its own matter; a host that does not answer is not.
      if (failure.family !== "rejected" || failure.code === "TARGET_CREDENTIAL_REJECTED") throw failure;
      unseen.push({ name: file.path, reason: failure.message });
    }
  }
  return { found, unseen };
}

function foundIn(file: Looked, text: string, place: string, interest: Interest): readonly DiscoveredKey[] {
  const format = formatFor(file);
  const keys = new Set([...(format.keys?.(text) ?? []), ...interest.keys].filter((key) => isKey(file, key)));
  return [...format.read(text, [...keys])].flatMap(([key, text]): DiscoveredKey[] => {
    const value = SecretValue.of(text);
    if (!interest.keys.has(key) && !interest.knows(value)) return [];
    const observed = { state: "present", value } as const;
    return [{ place, name: file.path, placement: file.path, key, observed, config: null, file }];
  });
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
