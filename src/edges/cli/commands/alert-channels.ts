/** `lockstep alert channels`: where alerts go, and whether they arrive. */
import { ageText } from "../../../lib/age.ts";
import type { ChannelAnswer } from "../../../protocol/api-alerts.ts";
import type { CommandFunction } from "../cli.ts";
import { showTable } from "../table.ts";

export const run: CommandFunction<[], object> = async (cli) => {
  const api = await cli.api();
  const answer = await api.call("listChannels", {});
  const now = new Date();
  cli.output.answer(answer, () =>
    showTable<ChannelAnswer>(
      cli.output,
      [
        { header: "channel", cell: ({ name }) => name },
        { header: "kind", cell: ({ kind }) => kind },
        { header: "arrived", cell: ({ lastDeliveredAt }) => ageText(lastDeliveredAt, now) },
        { header: "waiting", cell: ({ waiting }) => String(waiting) },
        { header: "reason", cell: ({ error }) => reasonOf(error, now), shrink: true },
      ],
      answer.channels,
      "No alert is sent to anybody: add `alerts: { ops: { slack: { url: … } } }` to lockstep.yaml, and apply it.",
    ),
  );
  return answer.channels.some(({ error }) => error !== null) ? 3 : 0;
};

function reasonOf(error: ChannelAnswer["error"], now: Date): string {
  if (error === null) return "";
  return `${error.gaveUp ? "given up" : "trying again"}, since ${ageText(error.since, now)}: ${error.message}`;
}
