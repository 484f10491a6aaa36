/** `lockstep alert list`: what is wrong now, and what to do about it. */
import { ageText } from "../../../lib/age.ts";
import type { AlertAnswer } from "../../../protocol/api-alerts.ts";
import type { CommandFunction } from "../cli.ts";
import { showTable } from "../table.ts";

export const run: CommandFunction<[], { readonly all?: boolean; readonly limit: number }> = async (
  cli,
  _parameters,
  { all, limit },
) => {
  const api = await cli.api();
  const answer = await api.call("listAlerts", { query: { limit, ...(all === true ? { all: "true" } : {}) } });
  const now = new Date();
  cli.output.answer(answer, () =>
    showTable<AlertAnswer>(
      cli.output,
      [
        { header: "level", cell: ({ level, resolvedAt }) => (resolvedAt === null ? level : "over") },
        { header: "since", cell: ({ openedAt }) => ageText(openedAt, now) },
        { header: "what", cell: ({ message }) => message, shrink: true },
        { header: "do", cell: ({ remedy }) => remedy, shrink: true },
      ],
      answer.alerts,
      "There are no open alerts.",
    ),
  );
  return 0;
};
