/** `lockstep agent list`: which machines fetch by themselves, and how they are. */
import { ageText } from "../../../lib/age.ts";
import type { AgentView } from "../../../protocol/api-agents.ts";
import { begunText } from "../agent-text.ts";
import type { CommandFunction } from "../cli.ts";
import { showTable } from "../table.ts";

/** Agents ask at least once a minute. */
const QUIET_MS = 5 * 60_000;

export const run: CommandFunction<[], { readonly environment?: string }> = async (
  cli,
  _parameters,
  { environment },
) => {
  const api = await cli.api();
  const answer = await api.call("listAgents", { query: environment === undefined ? {} : { environment } });
  const now = new Date();
  const isQuiet = ({ state, lastSeenAt }: AgentView): boolean =>
    state === "active" && (lastSeenAt === null || now.getTime() - Date.parse(lastSeenAt) > QUIET_MS);
  cli.output.answer(answer, () => {
    if (answer.agents.length === 0) {
      cli.output.line("There are no agents. `lockstep agent invite TARGET` makes a code for a machine.");
      return;
    }
    showTable<AgentView>(
      cli.output,
      [
        { header: "target", cell: ({ target }) => target },
        { header: "environment", cell: (agent) => agent.environment },
        { header: "state", cell: stateOf, tone: ({ state }) => TONES[state] },
        {
          header: "machine",
          cell: ({ hostname, platform }) => `${hostname} ${platform}`.trim(),
        },
        { header: "release", cell: ({ release }) => release },
        {
          header: "seen",
          cell: ({ lastSeenAt }) => ageText(lastSeenAt, now),
          tone: (agent) => (isQuiet(agent) ? "warn" : null),
        },
        {
          header: "at",
          cell: ({ reportedGeneration }) => (reportedGeneration === null ? "" : `${reportedGeneration}`),
        },
        { header: "id", cell: ({ id }) => id },
        { header: "", cell: troubleOf, tone: () => "bad" },
      ],
      answer.agents,
    );
    for (const agent of answer.agents.filter(({ state }) => state === "pending"))
      cli.output.line(`begun and not confirmed: ${begunText(agent)}`);
  });
  return 0;
};

const TONES = { pending: "warn", active: "good", revoked: "dim", expired: "dim" } as const;

function stateOf({ state, shortLived }: AgentView): string {
  return shortLived ? `${state}, short-lived` : state;
}

/** What a person must do something about; `lockstep agent status` on the machine tells it in full. */
function troubleOf({ state, refused, incidents, units }: AgentView): string {
  if (state !== "active") return "";
  const stuck = units.filter((unit) => unit.state === "failed" || unit.state === "blocked");
  const parts = [
    [refused.length, "refused by its policy"],
    [stuck.length, "did not start well"],
    [incidents.length, "incidents"],
  ] as const;
  return parts.flatMap(([count, what]) => (count === 0 ? [] : [`${count} ${what}`])).join(", ");
}
