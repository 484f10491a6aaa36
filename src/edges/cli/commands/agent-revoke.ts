/** `lockstep agent revoke TARGET`: its agents are answered no more; what they hold is named, with the way out. */
import { ageText } from "../../../lib/age.ts";
import { shellCommand } from "../../../lib/shell-quote.ts";
import type { RevokedAgents } from "../../../protocol/api-agents.ts";
import type { CommandFunction } from "../cli.ts";
import { showTable } from "../table.ts";
import { resolveTarget } from "../target-name.ts";

export interface AgentRevokeOptions {
  readonly environment?: string;
  readonly agent?: string;
}

type Received = RevokedAgents["agents"][number]["received"][number];

export const run: CommandFunction<[target: string], AgentRevokeOptions> = async (
  cli,
  [target],
  { environment, agent },
) => {
  const api = await cli.api();
  const params = await resolveTarget(api, target, environment);
  const answer = await api.call("revokeAgent", {
    params,
    body: agent === undefined ? {} : { agentId: agent },
  });
  const received = firstOfEach(answer.agents.flatMap((each) => each.received));
  const commands = rotations(received);
  cli.output.answer({ ...answer, commands }, () => {
    const { output } = cli;
    const now = new Date();
    for (const { id } of answer.agents) output.line(`Agent ${id} of "${answer.target}" is revoked.`);
    if (received.length === 0) {
      output.line("It never received a value.");
      return;
    }
    output.line();
    showTable<Received>(
      output,
      [
        { header: "received", cell: ({ secret }) => secret },
        { header: "environment", cell: (each) => each.environment },
        { header: "version", cell: ({ version }) => `v${version}` },
        { header: "first", cell: ({ firstAt }) => ageText(firstAt, now) },
      ],
      received,
    );
    output.line();
    output.note(
      "What was received cannot be recalled: it stays in the machine's files, cache and processes. If the machine is not trusted any more, rotate:",
    );
    for (const command of commands) output.line(command);
  });
  return 0;
};

/** Several short-lived agents may have received the same. */
function firstOfEach(received: readonly Received[]): readonly Received[] {
  const known = new Map<string, Received>();
  for (const each of received) {
    const key = JSON.stringify([each.environment, each.secret, each.version]);
    const other = known.get(key);
    if (other === undefined || Date.parse(each.firstAt) < Date.parse(other.firstAt)) known.set(key, each);
  }
  return [...known.values()];
}

function rotations(received: readonly Received[]): readonly string[] {
  const commands = received.map(({ secret, environment }) =>
    shellCommand(["lockstep", "rotate", secret, "--environment", environment]),
  );
  return [...new Set(commands)];
}
