/**
 * `lockstep init`: asks what belongs where, tries the answers as far as a server is there, and writes lockstep.yaml.
 * Writes nothing before the last question, changes nothing anywhere else, and keeps no credential.
 */
import { resolve } from "node:path";
import { LockstepError } from "../../../core/errors.ts";
import type { Cli, CommandFunction } from "../cli.ts";
import { DEFAULT_CONFIG_FILE, readConfig } from "../config-file/read-config.ts";
import { type PlanRequest, readPlanRequest, withLines } from "../config-request.ts";
import {
  PASSPHRASE_VARIABLE,
  type TargetAnswers,
  TOKEN_VARIABLE,
  VAULT_TOKEN_VARIABLE,
} from "../init/answers.ts";
import { type AgentOptions, askAgent } from "../init/ask-agent.ts";
import { askHost, type HostOptions } from "../init/ask-host.ts";
import { askRailway, type RailwayOptions, wantsRailway } from "../init/ask-railway.ts";
import { askEnvironment, askSecret, type SecretOptions } from "../init/ask-secret.ts";
import { askVault, type VaultOptions } from "../init/ask-vault.ts";
import { Asker } from "../init/asker.ts";
import { type Checks, openChecks } from "../init/checks.ts";
import { nextSteps, type Step } from "../init/next-steps.ts";
import { renderConfig } from "../init/render.ts";
import { TargetNames } from "../init/target-names.ts";
import { alreadyThere, exists, writeConfigFile } from "../init/write-file.ts";
import { canAsk } from "../prompt.ts";
import { type Plan, showPlan } from "../show/plan.ts";

export interface InitOptions extends SecretOptions, RailwayOptions, HostOptions, AgentOptions, VaultOptions {
  readonly file?: string;
  readonly force?: boolean;
  readonly yes?: boolean;
}

export const run: CommandFunction<[], InitOptions> = async (cli, _parameters, options) => {
  const interactive = options.yes !== true;
  if (interactive && !canAsk(cli)) {
    throw new LockstepError("USAGE", "Cannot ask questions: there is no terminal.", {
      hint: "Add --yes and give the answers as options; see `lockstep init --help`.",
    });
  }
  const asker = new Asker(cli, interactive);
  const shown = options.file ?? DEFAULT_CONFIG_FILE;
  const path = resolve(cli.surroundings.workingDirectory, shown);
  const replace = await mayReplace(asker, { path, shown, force: options.force === true });
  if (replace === null) {
    cli.output.note("Nothing was written.");
    return 1;
  }
  const checks = await openChecks(cli);
  const { targets, typed, ...rest } = await ask(asker, options, checks);
  const answers = { ...rest, targets };
  await writeConfigFile(path, renderConfig(answers), { replace, shown });

  const planned = await planIt(withTyped(cli, typed), shown, checks).catch((error: unknown) => {
    cli.output.note(`Wrote ${shown}; reading or planning it failed:`);
    throw error;
  });
  const next = nextSteps({
    answers,
    file: options.file ?? null,
    serverRuns: checks.api !== null,
    toSet: variablesToSet(cli, targets),
    adopt: planned?.plan.adoption.find(({ secret }) => secret === answers.secret.name)?.next ?? null,
  });
  const { unchecked, todo } = checks;
  cli.output.answer(
    {
      file: path,
      targets: targets.map(({ target }) => target),
      unchecked,
      todo,
      next,
      plan: planned?.plan ?? null,
    },
    () => show(cli, { shown, planned, checks, next }),
  );
  return planned !== null && planned.plan.problems.length > 0 ? 1 : 0;
};

/** True or false: whether it may be replaced. Null: a person said no. */
async function mayReplace(
  asker: Asker,
  { path, shown, force }: { readonly path: string; readonly shown: string; readonly force: boolean },
): Promise<boolean | null> {
  if (force) return true;
  if (!(await exists(path))) return false;
  if (!asker.interactive) throw alreadyThere(shown);
  return (await asker.confirm(`${shown} already exists. Replace it?`, false)) ? true : null;
}

interface Asked {
  readonly environment: string;
  readonly secret: Awaited<ReturnType<typeof askSecret>>;
  readonly targets: readonly TargetAnswers[];
  /** Credentials that were typed, by the variable that lockstep.yaml names. */
  readonly typed: Readonly<Record<string, string>>;
}

async function ask(asker: Asker, options: InitOptions, checks: Checks): Promise<Asked> {
  const names = new TargetNames();
  const targets: TargetAnswers[] = [];
  const typed: Record<string, string> = {};
  const environment = await askEnvironment(asker, options);
  const secret = await askSecret(asker, options);

  const hasToken = (asker.cli.surroundings.env[TOKEN_VARIABLE] ?? "") !== "";
  if (
    wantsRailway(options) ||
    (await asker.confirm(`Does a service on Railway use ${secret.name}?`, asker.interactive && hasToken))
  ) {
    const { targets: services, typedToken } = await askRailway(asker, options, { checks, names });
    targets.push(...services);
    if (typedToken !== null) typed[TOKEN_VARIABLE] = typedToken;
  }

  let another =
    options.sshHost !== undefined ||
    (await asker.confirm("Does a host that you reach over SSH use it?", false));
  for (let given: HostOptions = options; another; given = {}) {
    const { target, typedPassphrase } = await askHost(asker, given, { checks, names });
    targets.push(target);
    if (typedPassphrase !== null) typed[PASSPHRASE_VARIABLE] = typedPassphrase;
    another = await asker.confirm("Another host over SSH?", false);
  }

  const canServeAgents = checks.targetKinds?.includes("agent") ?? true;
  another =
    options.agent !== undefined ||
    (canServeAgents &&
      (await asker.confirm(
        "Does a machine that cannot be reached from outside use it (a Mac behind a router)?",
        false,
      )));
  for (let given: AgentOptions = options; another; given = {}) {
    targets.push(await askAgent(asker, given, names));
    another = await asker.confirm("Another such machine?", false);
  }

  const canWriteToVault = checks.targetKinds?.includes("vault") ?? true;
  another =
    options.vaultAddress !== undefined ||
    (canWriteToVault && (await asker.confirm("Does a service read it from Vault or OpenBao?", false)));
  for (let given: VaultOptions = options; another; given = {}) {
    const { target, typedToken } = await askVault(asker, given, { checks, names });
    targets.push(target);
    if (typedToken !== null) typed[VAULT_TOKEN_VARIABLE] = typedToken;
    another = await asker.confirm("Another path there?", false);
  }
  return { environment, secret, targets, typed };
}

/** What lockstep.yaml names and whoever runs this has not set. */
function variablesToSet({ surroundings }: Cli, targets: readonly TargetAnswers[]): readonly string[] {
  const named = [
    ...(targets.some(({ kind }) => kind === "railway") ? [TOKEN_VARIABLE] : []),
    ...(targets.some(({ kind }) => kind === "vault") ? [VAULT_TOKEN_VARIABLE] : []),
    ...(targets.some((target) => target.kind === "ssh" && target.withPassphrase)
      ? [PASSPHRASE_VARIABLE]
      : []),
  ];
  return named.filter((variable) => (surroundings.env[variable] ?? "") === "");
}

/** For the rest of this run only, what was typed stands where lockstep.yaml will look for it. */
function withTyped(cli: Cli, typed: Readonly<Record<string, string>>): Cli {
  return { ...cli, surroundings: { ...cli.surroundings, env: { ...cli.surroundings.env, ...typed } } };
}

type Planned = { readonly plan: Plan; readonly planned: PlanRequest };

/** The reader that `plan` uses also tells whether what was written is right. Null: read well, and nobody to ask. */
async function planIt(cli: Cli, file: string, { api, unchecked }: Checks): Promise<Planned | null> {
  if (api === null) {
    // Without a server a missing token stops nobody from reading the rest.
    await readConfig([file], cli.surroundings);
    unchecked.push("what the places hold now");
    return null;
  }
  // Every address in it was typed or chosen by this person a moment ago.
  const planned = await readPlanRequest(cli, { file: [file], askNew: true }, { lenient: false });
  const { request, source } = planned;
  return { plan: await withLines(source, () => api.call("plan", { body: request })), planned };
}

interface Shown {
  readonly shown: string;
  readonly planned: Planned | null;
  readonly checks: Checks;
  readonly next: readonly Step[];
}

function show({ output }: Cli, { shown, planned, checks, next }: Shown): void {
  if (planned !== null) {
    output.line("The plan, which `lockstep apply` would carry out:");
    output.line();
    showPlan(output, planned.plan, planned.planned);
    output.line();
  }
  output.line(`Wrote ${shown}. It holds no values, so you can commit it.`);
  for (const missing of checks.unchecked) output.line(`Not checked: ${missing}.`);
  for (const todo of checks.todo) output.line(`To do: ${todo}`);
  output.line();
  output.line("Next:");
  const width = Math.max(...next.map(({ command }) => command.length));
  for (const { command, why } of next) output.line(`  ${command.padEnd(width)}   # ${why}`);
}
