/** Every import of the tree, as written. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";

export const ROOT = resolve(import.meta.dirname, "../..");

export interface Import {
  /** Relative to the repository, with `/`. */
  readonly from: string;
  /** Of ours: relative to the repository. Otherwise the package's name as written. */
  readonly to: string;
  readonly typeOnly: boolean;
}

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s+(type\s)?[^;"']*?from\s*["']([^"']+)["']|(?:^|\n)\s*import\s*["']([^"']+)["']|import\(\s*["']([^"']+)["']\s*\)/g;

export function filesBelow(folder: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => slashes(relative(ROOT, join(entry.parentPath, entry.name))))
    .sort();
}

export function sourceOf(file: string): string {
  return readFileSync(join(ROOT, file), "utf8");
}

export function importsOf(file: string, source: string = sourceOf(file)): readonly Import[] {
  return [...source.matchAll(IMPORT)].map(([, typeOnly, from, bare, dynamic]) => {
    const written = from ?? bare ?? dynamic ?? "";
    const to = written.startsWith(".")
      ? slashes(relative(ROOT, resolve(ROOT, dirname(file), written)))
      : written;
    return { from: file, to, typeOnly: typeOnly !== undefined };
  });
}

function slashes(path: string): string {
  return path.split(sep).join("/");
}
