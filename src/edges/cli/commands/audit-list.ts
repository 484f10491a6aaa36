/** `lockstep audit list`: who did what, when. */
import type { CommandFunction } from "../cli.ts";
import { noteNext, readPages } from "../pages.ts";
import { showTable } from "../table.ts";

export interface AuditListOptions {
  readonly subject?: string;
  readonly before?: string;
  readonly limit: number;
  readonly after?: string;
}

export const run: CommandFunction<[], AuditListOptions> = async (cli, _parameters, options) => {
  const { subject, before, limit, after } = options;
  const api = await cli.api();
  const filter = {
    ...(subject === undefined ? {} : { subject }),
    ...(before === undefined ? {} : { before }),
  };
  const { rows: entries, next } = await readPages(
    { limit, ...(after === undefined ? {} : { after }) },
    async (page) => {
      const answer = await api.call("listAudit", { query: { ...filter, ...page } });
      return { rows: answer.entries, next: answer.next };
    },
  );
  cli.output.answer({ entries, next }, () =>
    showTable(
      cli.output,
      [
        { header: "at", cell: (entry) => entry.at },
        { header: "by", cell: (entry) => entry.actor.name, shrink: true },
        { header: "action", cell: (entry) => entry.action },
        { header: "subject", cell: (entry) => `${entry.subject.kind} ${entry.subject.name}` },
        { header: "details", cell: (entry) => detailsText(entry.details), below: true },
      ],
      entries,
      "There are no matching entries.",
    ),
  );
  noteNext(cli, next, "audit list", options);
  return 0;
};

function detailsText(details: Readonly<Record<string, unknown>>): string {
  return Object.entries(details)
    .map(([name, value]) => `${name}=${typeof value === "object" ? JSON.stringify(value) : String(value)}`)
    .join(" ");
}
