/** `lockstep audit list`: who did what, when. */
import type { CommandFunction } from "../cli.ts";
import { showTable } from "../table.ts";

export interface AuditListOptions {
  readonly subject?: string;
  readonly before?: string;
  readonly limit?: number;
}

export const run: CommandFunction<[], AuditListOptions> = async (cli, _parameters, options) => {
  const { subject, before, limit } = options;
  const api = await cli.api();
  const answer = await api.call("listAudit", {
    query: {
      ...(subject === undefined ? {} : { subject }),
      ...(before === undefined ? {} : { before }),
      ...(limit === undefined ? {} : { limit }),
    },
  });
  cli.output.answer(answer, () =>
    showTable(
      cli.output,
      [
        { header: "at", cell: (entry) => entry.at },
        { header: "by", cell: (entry) => entry.actor.name, shrink: true },
        { header: "action", cell: (entry) => entry.action },
        { header: "subject", cell: (entry) => `${entry.subject.kind} ${entry.subject.name}` },
        { header: "details", cell: (entry) => detailsText(entry.details), below: true },
      ],
      answer.entries,
      "There are no matching entries.",
    ),
  );
  return 0;
};

function detailsText(details: Readonly<Record<string, unknown>>): string {
  return Object.entries(details)
    .map(([name, value]) => `${name}=${typeof value === "object" ? JSON.stringify(value) : String(value)}`)
    .join(" ");
}
