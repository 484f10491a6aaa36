/** `lockstep alert test`: whether a message to people arrives, now. */
import type { ChannelTestAnswer } from "../../../protocol/api-alerts.ts";
import type { CommandFunction } from "../cli.ts";
import { showTable } from "../table.ts";

export const run: CommandFunction<[string | undefined], object> = async (cli, [channel]) => {
  const api = await cli.api();
  const answer = await api.call("testChannels", { body: channel === undefined ? {} : { channel } });
  cli.output.answer(answer, () =>
    showTable<ChannelTestAnswer>(
      cli.output,
      [
        { header: "channel", cell: ({ channel: name }) => name },
        { header: "kind", cell: ({ kind }) => kind },
        { header: "sent", cell: ({ error }) => (error === null ? "yes" : "no") },
        {
          header: "reason",
          cell: ({ error }) => (error === null ? "" : `${error.message} ${error.hint}`),
          shrink: true,
        },
      ],
      answer.tested,
      "",
    ),
  );
  return answer.tested.some(({ error }) => error !== null) ? 1 : 0;
};
