/** The rows of a page's tables, cells without their padding. */
import { sourceOf } from "./imports.ts";

export function tableRows(page: string): readonly (readonly string[])[] {
  return sourceOf(page)
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}
