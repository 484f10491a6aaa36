/** A bench's report for people. */
import type { BenchReport, Table } from "./bench.ts";
import type { Hardware } from "./hardware.ts";

export function reportText(name: string, report: BenchReport, machine: Hardware): string {
  const { cpu, cores, memoryGiB, node, platform, loadBefore } = machine;
  return [
    `bench ${name}`,
    ...report.tables.map(tableText),
    section("Conditions", report.conditions),
    section("What limits it", report.limits),
    section("Hardware", [
      `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${platform}, Node ${node}; load before: ${loadBefore}`,
    ]),
  ].join("\n\n");
}

function section(title: string, lines: readonly string[]): string {
  return [title, ...lines.map((line) => `  - ${line}`)].join("\n");
}

function tableText({ title, head, rows }: Table): string {
  const cells = [head, ...rows].map((row) => row.map((cell) => (cell === null ? "–" : String(cell))));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const lines = cells.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join("  "),
  );
  return [title, ...lines.map((line) => `  ${line}`)].join("\n");
}
