/**
 * Plain tables: no frames, the header in capitals, states in words. On a terminal that is too narrow nothing wraps into
 * the next row: first the column that rows are sorted by becomes a line above them; then the column that explains goes
 * below its row, in full; then long names lose their middle, because both of their ends tell them apart; last, the final
 * column is cut.
 */

import { visibleLine } from "../../lib/visible-text.ts";
import { wrapWords } from "../../lib/wrap-words.ts";
import type { Look, Output } from "./output.ts";
import { cut, cutMiddle, displayWidth, padded } from "./text-width.ts";
import type { Tone } from "./tone.ts";

export interface TableColumn<Row> {
  readonly header: string;
  readonly cell: (row: Row) => string;
  readonly tone?: (row: Row) => Tone | null;
  /** Rows are sorted by it: where they are too wide, it becomes a line above those that share it. */
  readonly group?: boolean;
  /** It explains: where the row is too wide, it stands below it in full. */
  readonly below?: boolean;
  /** May lose its middle. */
  readonly shrink?: boolean;
}

const GAP = "  ";
const INDENT = "    ";
const GROUP_INDENT = "  ";
const MIN_LAST_WIDTH = 12;
const MIN_SHRUNK_WIDTH = 12;

/** `empty`: what is said in place of a table without rows. */
export function showTable<Row>(
  output: Output,
  columns: readonly TableColumn<Row>[],
  rows: readonly Row[],
  empty?: string,
): void {
  if (rows.length === 0 && empty !== undefined) output.line(empty);
  else output.layOut((look) => renderTable(columns, rows, look));
}

export function renderTable<Row>(
  columns: readonly TableColumn<Row>[],
  rows: readonly Row[],
  { maxWidth, paint }: Look,
): readonly string[] {
  const { grid, groups, explanations } = layOut(columns, rows, maxWidth);
  const widths = naturalWidths(grid, rows);
  const indent = groups.length > 0 ? GROUP_INDENT : "";
  if (maxWidth !== null) shrinkTo(widths, grid, maxWidth - indent.length);
  const header = grid.map(({ header: text }, index) =>
    pad(cut(text.toUpperCase(), widths[index] ?? 0), widths, index),
  );
  const lines = [paint("dim", `${indent}${header.join(GAP)}`.trimEnd())];
  let heading = "";
  for (const row of rows) {
    const above = groups.map(({ cell }) => visibleLine(cell(row))).join(GAP);
    if (groups.length > 0 && above !== heading) lines.push(paint("bold", above));
    heading = above;
    const cells = grid.map((column, index) => renderCell(column, row, { widths, index, paint }));
    lines.push(`${indent}${cells.join(GAP)}`.trimEnd());
    for (const { cell } of explanations) lines.push(...wrap(visibleLine(cell(row)), maxWidth ?? 0));
  }
  return lines;
}

interface Layout<Row> {
  readonly grid: readonly TableColumn<Row>[];
  readonly groups: readonly TableColumn<Row>[];
  readonly explanations: readonly TableColumn<Row>[];
}

function layOut<Row>(
  columns: readonly TableColumn<Row>[],
  rows: readonly Row[],
  maxWidth: number | null,
): Layout<Row> {
  // A column without anything to say has no place.
  const told = columns.filter(({ cell }) => rows.length === 0 || rows.some((row) => cell(row) !== ""));
  const isGroup = ({ group }: TableColumn<Row>): boolean => group === true;
  const explains = ({ below }: TableColumn<Row>): boolean => below === true;
  const groups = told.filter(isGroup);
  const ungrouped = told.filter((column) => !isGroup(column));
  const tries: readonly Layout<Row>[] = [
    { grid: told, groups: [], explanations: [] },
    { grid: ungrouped, groups, explanations: [] },
    {
      grid: ungrouped.filter((column) => !explains(column)),
      groups,
      explanations: ungrouped.filter(explains),
    },
  ];
  const last = tries.at(-1) ?? { grid: told, groups: [], explanations: [] };
  return (
    tries.find(({ grid, groups: above }) => fits(grid, rows, { maxWidth, indented: above.length > 0 })) ??
    last
  );
}

function fits<Row>(
  grid: readonly TableColumn<Row>[],
  rows: readonly Row[],
  { maxWidth, indented }: { readonly maxWidth: number | null; readonly indented: boolean },
): boolean {
  const indent = indented ? GROUP_INDENT.length : 0;
  return maxWidth === null || totalWidth(naturalWidths(grid, rows)) + indent <= maxWidth;
}

function renderCell<Row>(
  { cell, tone, shrink }: TableColumn<Row>,
  row: Row,
  {
    widths,
    index,
    paint,
  }: { readonly widths: readonly number[]; readonly index: number; readonly paint: Look["paint"] },
): string {
  const text = visibleLine(cell(row));
  const width = widths[index] ?? 0;
  const shown = shrink === true ? cutMiddle(text, width) : cut(text, width);
  const found = tone?.(row) ?? null;
  // Blanks that align stay unpainted, so that they can be trimmed.
  const padding = pad(shown, widths, index).slice(shown.length);
  return `${found === null ? shown : paint(found, shown)}${padding}`;
}

function naturalWidths<Row>(grid: readonly TableColumn<Row>[], rows: readonly Row[]): number[] {
  return grid.map((column) => naturalWidth(column, rows));
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

function wrap(text: string, maxWidth: number): readonly string[] {
  const width = Math.max(MIN_LAST_WIDTH, maxWidth - INDENT.length);
  return wrapWords(text, width, displayWidth).map((line) => `${INDENT}${line}`);
}

/** The last column is not filled up: trailing blanks help nobody. */
function pad(text: string, widths: readonly number[], index: number): string {
  if (index === widths.length - 1) return text;
  return padded(text, widths[index] ?? 0);
}
