/** Plain tables: no frames, the header in capitals, the last column takes what is left of the terminal's width. */
import { visibleLine } from "../../lib/visible-text.ts";
import type { Tone } from "./output.ts";

export interface TableColumn<Row> {
  readonly header: string;
  readonly cell: (row: Row) => string;
  readonly tone?: (row: Row) => Tone | null;
}

const GAP = "  ";
const MIN_LAST_WIDTH = 12;

/** `maxWidth` null: nothing is cut, because a program or a file reads it. */
export function renderTable<Row>(
  columns: readonly TableColumn<Row>[],
  rows: readonly Row[],
  options: { readonly maxWidth: number | null; readonly paint: (tone: Tone, text: string) => string },
): readonly string[] {
  const cells = rows.map((row) => columns.map((column) => visibleLine(column.cell(row))));
  const widths = columns.map((column, index) =>
    Math.max(displayWidth(column.header), ...cells.map((line) => displayWidth(line[index] ?? ""))),
  );
  fitLast(widths, options.maxWidth);
  const header = columns.map((column, index) => pad(column.header.toUpperCase(), widths, index)).join(GAP);
  const body = cells.map((line, rowIndex) =>
    line
      .map((text, index) => {
        const shown = pad(cut(text, widths[index] ?? 0), widths, index);
        const row = rows[rowIndex];
        const tone = row === undefined ? null : (columns[index]?.tone?.(row) ?? null);
        return tone === null ? shown : options.paint(tone, shown);
      })
      .join(GAP)
      .trimEnd(),
  );
  return [options.paint("dim", header.trimEnd()), ...body];
}

function fitLast(widths: number[], maxWidth: number | null): void {
  const last = widths.length - 1;
  if (maxWidth === null || last < 0) return;
  const before = widths.slice(0, last).reduce((sum, width) => sum + width + GAP.length, 0);
  widths[last] = Math.min(widths[last] ?? 0, Math.max(MIN_LAST_WIDTH, maxWidth - before));
}

function cut(text: string, width: number): string {
  return displayWidth(text) <= width ? text : `${[...text].slice(0, Math.max(0, width - 1)).join("")}…`;
}

/** The last column is not filled up: trailing blanks help nobody. */
function pad(text: string, widths: readonly number[], index: number): string {
  if (index === widths.length - 1) return text;
  return text + " ".repeat(Math.max(0, (widths[index] ?? 0) - displayWidth(text)));
}

function displayWidth(text: string): number {
  return [...text].length;
}
