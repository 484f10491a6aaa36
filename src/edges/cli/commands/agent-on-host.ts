/** `lockstep agent …` on a managed machine, and `lockstep run`: they call the agent's program, and never the API. */
import { LockstepError } from "../../../core/errors.ts";
import { shellCommand } from "../../../lib/shell-quote.ts";
import type { EnrolledAgent } from "../../../protocol/agent/on-host.ts";
import type { AgentOnHost, Cli, CommandFunction } from "../cli.ts";
import { canAsk, confirm, promptHidden } from "../prompt.ts";
import { readBytes } from "../value-input.ts";

export interface OnHostOptions {
  readonly state?: string;
  readonly policy?: string;
}

export interface EnrollOptions extends OnHostOptions {
  readonly codeFile?: string;
  readonly writePolicy?: true;
  readonly replace?: true;
}

const enrollRun: CommandFunction<[], EnrollOptions> = async (cli, _parameters, options) => {
  const { document, show } = await enrollHere(cli, await cli.agent(options), options);
  cli.output.answer(document, () => {
    show();
    cli.output.note("Next: `lockstep agent install` for a service, or `lockstep agent run`.");
    cli.output.note(
      "Without files, for a program that gets its secrets at its start: `lockstep run -- CMD`.",
    );
  });
  return 0;
};

/** What comes next is its caller's to say. */
async function enrollHere(
  cli: Cli,
  agent: AgentOnHost,
  options: EnrollOptions,
): Promise<{ readonly document: object; readonly show: () => void }> {
  const { policyDraft, ...enrolled } = await becomeAgent(cli, agent, options);
  const { output } = cli;
  const shouldWrite =
    policyDraft !== null && (await mayWrite(cli, enrolled.policyFile, policyDraft, options));
  if (shouldWrite) await agent.writePolicy(policyDraft);
  const show = (): void => {
    output.line(`This machine is the agent of "${enrolled.target}" in ${enrolled.environment}.`);
    output.line(`  server   ${enrolled.url}`);
    output.line(`  identity ${enrolled.stateDirectory}`);
    output.line(`  key      ${enrolled.keyFingerprint}`);
    output.line(`  policy   ${enrolled.policyFile}${shouldWrite ? " (written)" : ""}`);
    if (policyDraft === null || shouldWrite) return;
    output.note("note: there is no policy yet, so no file, unit or command is allowed. The target needs:");
    output.note(policyDraft.trimEnd());
  };
  return { document: { ...enrolled, policyWritten: shouldWrite, policyDraft }, show };
}

/** An identity that the machine has is given up by a person's word alone. */
async function becomeAgent(cli: Cli, agent: AgentOnHost, options: EnrollOptions): Promise<EnrolledAgent> {
  const code = await readCode(cli, options);
  try {
    return await agent.enroll(code, cli.interrupted, { replace: options.replace === true });
  } catch (error) {
    const isAsked = error instanceof LockstepError && error.code === "AGENT_ENROLLED" && canAsk(cli);
    if (!isAsked || !(await confirm(cli, `${error.message} Give that up?`))) throw error;
    return agent.enroll(code, cli.interrupted, { replace: true });
  }
}

async function mayWrite(
  cli: Cli,
  path: string,
  draft: string,
  { writePolicy }: EnrollOptions,
): Promise<boolean> {
  if (writePolicy === true) return true;
  if (!canAsk(cli)) return false;
  cli.output.note(draft.trimEnd());
  return confirm(cli, `Let Lockstep do this here, by writing ${path}?`);
}

async function readCode(cli: Cli, { codeFile }: EnrollOptions): Promise<string> {
  if (codeFile === undefined && cli.stdin.isTTY) return promptHidden(cli, "Code (not shown): ");
  return (await readBytes(cli, "the code", codeFile ?? "-", MAX_CODE_BYTES)).toString("utf8");
}

/** Many times what a code has. */
const MAX_CODE_BYTES = 16 * 1024;

const runAgentRun: CommandFunction<[], OnHostOptions> = async (cli, _parameters, options) => {
  await (await cli.agent(options)).run(cli.interrupted);
  return 0;
};

const runChildRun: CommandFunction<[program: readonly string[]], OnHostOptions> = async (
  cli,
  [[program = "", ...words]],
  options,
) => {
  const agent = await cli.agent(options);
  // A prompt lives on after Ctrl-C, and decides itself when it has heard enough.
  cli.handOverSignals();
  return agent.runChild([program, ...words], cli.interrupted);
};

const policyRun: CommandFunction<[], OnHostOptions> = async (cli, _parameters, options) => {
  const shown = await (await cli.agent(options)).policy();
  cli.output.answer(shown, () => cli.output.line(shown.text.trimEnd()));
  return 0;
};

export interface ServiceCommandOptions extends OnHostOptions {
  readonly system?: true;
  readonly print?: true;
  readonly node?: string;
}

const installRun: CommandFunction<[], ServiceCommandOptions> = async (cli, _parameters, options) => {
  const { output } = cli;
  const printOnly = options.print === true;
  const installed = await (await cli.agent(options)).install({
    printOnly,
    system: isSystem(options),
    node: options.node ?? null,
    say: (line) => output.note(line),
  });
  output.answer(installed, () => {
    if (printOnly) {
      output.line(`# ${installed.path}`);
      output.line(installed.content.trimEnd());
      for (const remark of installed.remarks) output.note(`note: ${remark}`);
    } else
      output.line(
        `Installed: ${installed.path}. Look with: ${shellCommand(["lockstep", "agent", "status"])}`,
      );
  });
  return 0;
};

export interface SetupOptions extends EnrollOptions {
  readonly node?: string;
  /** False with --no-service. */
  readonly service: boolean;
}

/** Everything that a machine needs once. What was done stays done when a later step fails. */
const setupRun: CommandFunction<[], SetupOptions> = async (cli, _parameters, options) => {
  const { output } = cli;
  const agent = await cli.agent(options);
  const say = (line: string): void => output.note(line);
  const node = options.node ?? null;
  await agent.keep({ node, say });
  const { document, show } = await enrollHere(cli, agent, options);
  if (!output.json) show();
  const service = options.service
    ? await agent.install({ printOnly: false, system: isSystem({}), node, say })
    : null;
  output.answer({ ...document, service: service === null ? null : { path: service.path } }, () => {
    output.line(
      service === null
        ? "No service was installed. Start it by what supervises programs here: `lockstep agent run`."
        : `Installed: ${service.path}. Look with: \`lockstep agent status\``,
    );
  });
  return 0;
};

export interface UninstallOptions extends OnHostOptions {
  readonly system?: true;
  readonly purge?: true;
}

const uninstallRun: CommandFunction<[], UninstallOptions> = async (cli, _parameters, options) => {
  const purge = options.purge === true;
  await (await cli.agent(options)).uninstall({
    system: isSystem(options),
    purge,
    say: (line) => cli.output.note(line),
  });
  cli.output.answer({ ok: true }, () => {
    if (!purge) return cli.output.line("The service is gone; identity, cache and policy stay.");
    cli.output.line("The agent is gone. Values stay in the files where services read them.");
    cli.output.note(
      "On the server: `lockstep agent revoke TARGET`, or take the target out of lockstep.yaml.",
    );
  });
  return 0;
};

function isSystem({ system }: Pick<ServiceCommandOptions, "system">): boolean {
  return system === true || process.geteuid?.() === 0;
}

export const setup = { run: setupRun };
export const enroll = { run: enrollRun };
export const runAgent = { run: runAgentRun };
export const runChild = { run: runChildRun };
export const policy = { run: policyRun };
export const install = { run: installRun };
export const uninstall = { run: uninstallRun };
