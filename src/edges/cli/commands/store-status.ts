/** `lockstep store status`: size, growth, free disk, how long history is kept, and the tables by size. */
import { durationText } from "../../../lib/age.ts";
import { byteText } from "../../../lib/byte-text.ts";
import type { StoreStatus } from "../../../protocol/api-store.ts";
import type { CommandFunction } from "../cli.ts";
import { showTable } from "../table.ts";

export const run: CommandFunction<[], unknown> = async (cli) => {
  const api = await cli.api();
  const answer = await api.call("storeStatus");
  cli.output.answer(answer, () => {
    const { output } = cli;
    output.line(`The store takes ${byteText(answer.bytes)}. ${growthText(answer)} ${freeText(answer)}`);
    output.line();
    showTable(
      output,
      [
        { header: "history", cell: ({ kind }) => kind },
        { header: "kept for", cell: ({ forMs }) => (forMs === null ? "ever" : durationText(forMs)) },
      ],
      answer.kept,
      "",
    );
    output.line();
    showTable(
      output,
      [
        { header: "table", cell: ({ table }) => table },
        { header: "rows, about", cell: ({ rows }) => String(rows) },
        { header: "size", cell: ({ bytes }) => byteText(bytes) },
      ],
      answer.tables,
      "",
    );
    output.line();
    output.line("LOCKSTEP_KEEP of the worker sets how long history is kept. The audit log always stays.");
  });
  return 0;
};

function growthText({ growth }: StoreStatus): string {
  if (growth === null) return "What it grows by is known after three days.";
  const { bytesPerDay, overDays } = growth;
  const way = bytesPerDay < 0 ? "shrank" : "grew";
  return `It ${way} by ${byteText(Math.abs(bytesPerDay))} a day in the last ${overDays} days.`;
}

function freeText({ freeBytes, daysLeft }: StoreStatus): string {
  if (freeBytes === null) return "How much disk is left there is not known here.";
  const lasts = daysLeft === null ? "" : `: enough for ${daysLeft} ${daysLeft === 1 ? "day" : "days"}`;
  return `${byteText(freeBytes)} of disk are left${lasts}.`;
}
