/** `lockstep history`: what was pushed where, by whom, with what outcome. */
import { ageText } from "../../../lib/age.ts";
import type { PushView } from "../../../protocol/api-views.ts";
import type { CommandFunction } from "../cli.ts";
import { noteNext, readPages } from "../pages.ts";
import { showTable } from "../table.ts";
import type { Tone } from "../tone.ts";

export interface HistoryOptions {
  readonly environment?: string;
  readonly target?: string;
  readonly secret?: string;
  readonly limit: number;
  readonly after?: string;
}

export const run: CommandFunction<[], HistoryOptions> = async (cli, _parameters, options) => {
  const { environment, target, secret, limit, after } = options;
  const api = await cli.api();
  const filter = {
    ...(environment === undefined ? {} : { environment }),
    ...(target === undefined ? {} : { target }),
    ...(secret === undefined ? {} : { secret }),
  };
  const { rows: pushes, next } = await readPages(
    { limit, ...(after === undefined ? {} : { after }) },
    async (page) => {
      const answer = await api.call("listPushes", { query: { ...filter, ...page } });
      return { rows: answer.pushes, next: answer.next };
    },
  );
  const now = new Date();
  cli.output.answer({ pushes, next }, () =>
    showTable<PushView>(
      cli.output,
      [
        { header: "when", cell: (push) => ageText(push.startedAt, now) },
        { header: "target", cell: (push) => push.target, shrink: true },
        { header: "gen", cell: (push) => String(push.generation) },
        { header: "try", cell: (push) => String(push.attempt) },
        { header: "by", cell: (push) => push.actor.name, shrink: true },
        { header: "outcome", cell: (push) => push.outcome, tone: (push) => outcomeTone(push.outcome) },
        { header: "evidence", cell: (push) => push.evidence ?? "–" },
        { header: "what", cell: whatText, below: true },
      ],
      pushes,
      "Nothing was pushed yet, or no push matches.",
    ),
  );
  noteNext(cli, next, "history", options);
  return 0;
};

function whatText(push: PushView): string {
  const items = push.items.map(({ key, action, version, replaced }) => {
    const to = version === null ? "" : ` v${version}`;
    return `${action} ${key}${to}${replaced === null || action === "unchanged" ? "" : ` (was ${replaced})`}`;
  });
  const error = push.error === null ? [] : [`${push.error.code}: ${push.error.message}`];
  return [...error, ...items].join("; ");
}

function outcomeTone(outcome: PushView["outcome"]): Tone | null {
  if (outcome === "succeeded") return "good";
  if (outcome === "failed") return "bad";
  return outcome === "unknown" || outcome === "started" ? "warn" : null;
}
