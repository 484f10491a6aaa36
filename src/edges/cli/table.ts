/**
 * Plain tables: no frames, the header in capitals, states in words. On a terminal that is too narrow nothing wraps into
 * the next row: first the column that explains goes below its row, in full; then long names lose their middle, because
 * both of their ends tell them apart; last, the final column is cut.
 */
import { visibleLine } from "../../lib/visible-text.ts";
import type { Tone } from "./output.ts";

export interface TableColumn<Row> {
  readonly header: string;
  readonly cell: (row: Row) => string;
  readonly tone?: (row: Row) => Tone | null;
  /** It explains: where the row is too wide, it stands below it in full. */
  readonly below?: boolean;
  /** May lose its middle. */
  readonly shrink?: boolean;
}

export interface TableLook {
  /** Null: nothing is cut, because a program or a file reads it. */
  readonly maxWidth: number | null;
  readonly paint: (tone: Tone, text: string) => string;
}

const GAP = "  ";
const INDENT = "    ";
const MIN_LAST_WIDTH = 12;
const MIN_SHRUNK_WIDTH = 12;

export function renderTable<Row>(
  columns: readonly TableColumn<Row>[],
  rows: readonly Row[],
  look: TableLook,
): readonly string[] {
  const { maxWidth, paint } = look;
  // A column without anything to say has no place.
  const told = columns.filter(
    ({ header, cell, below }) => !(below === true && header !== "" && rows.every((row) => cell(row) === "")),
  );
  const natural = told.map((column) => naturalWidth(column, rows));
  const fits = maxWidth === null || totalWidth(natural) <= maxWidth;
  const grid = fits ? told : told.filter(({ below }) => below !== true);
  const explaining = fits ? [] : told.filter(({ below }) => below === true);
  const widths = grid.map((column) => naturalWidth(column, rows));
  if (maxWidth !== null) shrinkTo(widths, grid, maxWidth);

  const header = grid.map(({ header: text }, index) =>
    pad(cut(text.toUpperCase(), widths[index] ?? 0), widths, index),
  );
  const body = rows.flatMap((row) => [
    grid
      .map((column, index) => {
        const text = visibleLine(column.cell(row));
        const width = widths[index] ?? 0;
        const shown = column.shrink === true ? cutMiddle(text, width) : cut(text, width);
        const tone = column.tone?.(row) ?? null;
        // The padding stays outside: a painted blank is not trimmed.
        const padding = pad(shown, widths, index).slice(shown.length);
        return `${tone === null ? shown : paint(tone, shown)}${padding}`;
      })
      .join(GAP)
      .trimEnd(),
    ...explaining.flatMap((column) => wrap(visibleLine(column.cell(row)), maxWidth ?? 0)),
  ]);
  return [paint("dim", header.join(GAP).trimEnd()), ...body];
}

function naturalWidth<Row>({ header, cell }: TableColumn<Row>, rows: readonly Row[]): number {
  return Math.max(displayWidth(header), ...rows.map((row) => displayWidth(visibleLine(cell(row)))));
}

function totalWidth(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, 0) + GAP.length * Math.max(0, widths.length - 1);
}

function shrinkTo<Row>(widths: number[], columns: readonly TableColumn<Row>[], maxWidth: number): void {
  for (let excess = totalWidth(widths) - maxWidth; excess > 0; excess -= 1) {
    const widest = columns.reduce<number | null>((found, { shrink }, index) => {
      const width = widths[index] ?? 0;
      if (shrink !== true || width <= MIN_SHRUNK_WIDTH) return found;
      return found === null || width > (widths[found] ?? 0) ? index : found;
    }, null);
    if (widest === null) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  const last = widths.length - 1;
  if (last < 0) return;
  const before = totalWidth(widths) - (widths[last] ?? 0);
  widths[last] = Math.min(widths[last] ?? 0, Math.max(MIN_LAST_WIDTH, maxWidth - before));
}

/** At blanks, where there are any. */
function wrap(text: string, maxWidth: number): readonly string[] {
  const width = Math.max(MIN_LAST_WIDTH, maxWidth - INDENT.length);
  const lines: string[] = [];
  for (const word of text.split(" ").filter((one) => one !== "")) {
    const last = lines.at(-1);
    if (last !== undefined && displayWidth(last) + 1 + displayWidth(word) <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else {
      lines.push(word);
    }
  }
  return lines.map((line) => `${INDENT}${line}`);
}

function cut(text: string, width: number): string {
  return displayWidth(text) <= width ? text : `${[...text].slice(0, Math.max(0, width - 1)).join("")}…`;
}

function cutMiddle(text: string, width: number): string {
  const characters = [...text];
  if (characters.length <= width) return text;
  const kept = Math.max(0, width - 1);
  const end = Math.floor(kept / 2);
  return `${characters.slice(0, kept - end).join("")}…${end === 0 ? "" : characters.slice(-end).join("")}`;
}

/** The last column is not filled up: trailing blanks help nobody. */
function pad(text: string, widths: readonly number[], index: number): string {
  if (index === widths.length - 1) return text;
  return text + " ".repeat(Math.max(0, (widths[index] ?? 0) - displayWidth(text)));
}

function displayWidth(text: string): number {
  return [...text].length;
}
