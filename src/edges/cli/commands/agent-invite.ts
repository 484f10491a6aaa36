/** `lockstep agent invite TARGET`: the code alone on stdout, so that it can be piped; what to do with it beside it. */
import { LockstepError } from "../../../core/errors.ts";
import { durationText } from "../../../lib/age.ts";
import { shellCommand } from "../../../lib/shell-quote.ts";
import { parseEnrolmentCode } from "../../../protocol/agent/enrolment-code.ts";
import type { ProgramPlatform } from "../../../protocol/agent/program.ts";
import type { AGENT_OPERATIONS } from "../../../protocol/api-agents.ts";
import type { AnswerOf } from "../../../protocol/api-operation.ts";
import { begunText, machineText } from "../agent-text.ts";
import type { CommandFunction } from "../cli.ts";
import { installLine } from "../install-line.ts";
import { resolveTarget } from "../target-name.ts";

type Invited = AnswerOf<(typeof AGENT_OPERATIONS)["inviteAgent"]>;

interface Line {
  readonly runsOn: ProgramPlatform;
  readonly line: string;
}

export interface AgentInviteOptions {
  readonly environment?: string;
  readonly reusable?: true;
  readonly replace?: true;
  readonly expires?: number;
}

export const run: CommandFunction<[target: string], AgentInviteOptions> = async (
  cli,
  [target],
  { environment, reusable = false, replace = false, expires },
) => {
  if (expires !== undefined && !reusable) {
    throw new LockstepError(
      "USAGE",
      "Cannot make this code: a code for one use is always valid for 15 minutes.",
      {
        hint: "Omit --expires, or add --reusable for containers.",
      },
    );
  }
  const api = await cli.api();
  const params = await resolveTarget(api, target, environment);
  const answer = await api.call("inviteAgent", {
    params,
    body: { reusable, replace, ...(expires === undefined ? {} : { expiresInMs: expires }) },
  });
  const commands = [
    shellCommand(["lockstep", "agent", "enroll"]),
    shellCommand(["lockstep", "agent", "install"]),
  ];
  const lines = linesOf(answer);
  cli.output.answer({ ...answer, commands, lines }, () => {
    const { output } = cli;
    for (const agent of answer.ended)
      output.note(`note: cancelled an enrolment that was not finished: ${begunText(agent)}.`);
    for (const agent of answer.replaces)
      output.note(`note: when the new agent has enrolled, this one is revoked: ${machineText(agent)}.`);
    const left = durationText(Date.parse(answer.expiresAt) - Date.now());
    output.note(
      reusable
        ? `note: whoever has this code can become an agent of "${answer.target}" for ${left}, any number of times.`
        : `note: whoever has this code can become the agent of "${answer.target}", once, for ${left}.`,
    );
    output.note(
      "Treat it as a secret: give it over stdin or a prompt, never as an argument. It is shown only this time:",
    );
    output.line(answer.code);
    output.note(`On the machine, which must reach ${answer.url}; the first line asks for the code:`);
    for (const command of commands) output.note(`  ${command}`);
    if (lines.length === 0) return;
    output.note(
      "Where Lockstep is not installed, one line does both. It checks the program's digest before it runs it:",
    );
    for (const { runsOn, line } of lines) {
      output.note(runsOn === "node" ? "with Node 20.19 or newer:" : `without Node, on ${runsOn}:`);
      output.note(`  ${line}`);
    }
    if (lines.every(({ runsOn }) => runsOn === "node"))
      output.note(
        "A machine without Node needs one first: https://nodejs.org/en/download. This server has no executable.",
      );
  });
  return 0;
};

/** For one lasting machine; containers have the program in their image. */
function linesOf({ code, program, reusable }: Invited): readonly Line[] {
  const parsed = parseEnrolmentCode(code);
  if (parsed === null || program === null || program === undefined || reusable) return [];
  return program.files.map((file) => ({ runsOn: file.runsOn, line: installLine(parsed, file) }));
}
