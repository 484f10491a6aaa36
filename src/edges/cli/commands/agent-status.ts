/**
 * `lockstep agent status`, on the machine: what stands here, and how the agent is. Exits with 3 when something differs,
 * was refused or does not start, with 4 when the agent does not run or its server is not reached.
 */
import { ageText } from "../../../lib/age.ts";
import type { AgentKey, AgentStatus } from "../../../protocol/agent/on-host.ts";
import type { Cli, CommandFunction } from "../cli.ts";
import { showTable } from "../table.ts";
import type { OnHostOptions } from "./agent-on-host.ts";

const EXIT_DRIFT = 3;
const EXIT_CANNOT_TELL = 4;

export const run: CommandFunction<[], OnHostOptions> = async (cli, _parameters, options) => {
  const status = await (await cli.agent(options)).status(cli.interrupted);
  cli.output.answer(status, () => show(cli, status));
  const { keys, unit, refused, pid, server, services } = status;
  if (services.some(({ missing }) => missing.length > 0)) return EXIT_DRIFT;
  if (keys.some(({ inSync }) => !inSync) || refused.length > 0 || unit?.state === "blocked")
    return EXIT_DRIFT;
  return pid === null || !server.reachable ? EXIT_CANNOT_TELL : 0;
};

function show({ output }: Cli, status: AgentStatus): void {
  const now = new Date();
  const { server, pid, cache, unit } = status;
  output.line(`Agent of "${status.target}" in ${status.environment}`);
  output.line(
    `  runs     ${pid === null ? "no: `lockstep agent run`, or `lockstep agent install`" : `as process ${pid}`}`,
  );
  for (const { path, missing } of status.services) {
    output.line(`  service  ${path}`);
    for (const file of missing)
      output.line(
        `           ${file} is gone, as after an upgrade of Node: the service does not start any more. Repeat \`lockstep agent install\`.`,
      );
  }
  output.line(`  server   ${server.url}${server.reachable ? "" : `: ${server.reason ?? "not reached"}`}`);
  output.line(
    `  contact  ${server.revokedAt === null ? ageText(server.lastContactAt, now) : "revoked: ask for a new code"}`,
  );
  output.line(
    `  cache    ${cache === null ? "nothing yet" : `generation ${cache.generation}, ${ageText(cache.receivedAt, now)}`}`,
  );
  if (unit !== null)
    output.line(`  unit     ${unit.key}: ${unit.state}${unit.error === null ? "" : `: ${unit.error}`}`);
  output.line(`  key      ${status.keyFingerprint}`);
  output.line(`  policy   ${status.policyFile}`);
  if (status.keys.length > 0) {
    output.line();
    showTable<AgentKey>(
      output,
      [
        { header: "secret", cell: ({ secret, key }) => secret ?? key },
        {
          header: "where",
          cell: ({ placement, key }) => (placement === "" ? `environment ${key}` : `${placement}: ${key}`),
        },
        { header: "should", cell: ({ version }) => (version === null ? "nothing" : `v${version}`) },
        { header: "holds", cell: holds, tone: ({ inSync }) => (inSync ? "good" : "bad") },
      ],
      status.keys,
    );
  }
  for (const { what, reason } of status.refused) output.line(`refused: ${what}: ${reason}`);
  if (status.refused.length > 0) output.line("`lockstep agent policy` prints the lines that would allow it.");
  for (const { at, code, message } of status.incidents)
    output.line(`${ageText(at, now)}: ${code}: ${message}`);
}

function holds({ found, foundVersion, reason }: AgentKey): string {
  switch (found) {
    case "version":
      return `v${foundVersion}`;
    case "absent":
      return "nothing";
    case "unknown":
      return "a value that Lockstep does not know";
    case "unreadable":
      return reason ?? "cannot be read";
  }
}
