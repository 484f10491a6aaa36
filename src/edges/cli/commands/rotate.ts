/**
 * `lockstep rotate NAME`: a new value for every place. With --wait it stays until the rollout has ended; Ctrl-C leaves
 * the rollout going, because the server moves it, and says how to look again.
 */

import { durationText } from "../../../lib/age.ts";
import type { RotationAnswer } from "../../../protocol/api-rollouts.ts";
import type { Cli, CommandFunction } from "../cli.ts";
import { EXIT_CANNOT_TELL, followRollout } from "../follow.ts";
import { resolveSecret } from "../secret-name.ts";
import { bindingColumns } from "../show/binding-table.ts";
import { versionsText } from "../show/rollout.ts";
import { showTable } from "../table.ts";
import { joinedRenewalText } from "./renew.ts";

export interface RotateOptions {
  readonly environment?: string;
  readonly wait?: boolean;
  /** In ms. */
  readonly timeout?: number;
  readonly strategy?: RotationAnswer["strategy"];
  readonly dryRun?: boolean;
  readonly urgent?: boolean;
}

type Rotation = Omit<RotationAnswer, "strategy" | "environment" | "leftBehind"> &
  Partial<Pick<RotationAnswer, "strategy" | "leftBehind">>;

export const run: CommandFunction<[name: string], RotateOptions> = async (cli, [name], options) => {
  const { strategy, dryRun, wait, urgent } = options;
  const api = await cli.api();
  const started = await api.call("rotateSecret", {
    params: await resolveSecret(api, name, options.environment),
    body: {
      ...(strategy === undefined ? {} : { strategy }),
      ...(dryRun === true ? { dryRun } : {}),
      ...(urgent === true ? { urgent } : {}),
    },
  });
  if (started.joined !== undefined) cli.output.note(`note: ${joinedText(started)}`);
  if (wait !== true || started.rollout === null) {
    show(cli, started);
    return started.joined !== undefined && started.state === "stalled" ? 1 : 0;
  }
  for (const line of leftBehindLines(started.leftBehind)) cli.output.note(`note: ${line}`);
  const ended = await followRollout(cli, api, started.rollout, options.timeout);
  const { rollout, secret, from, to, state, bindings } = ended;
  const { joined } = started;
  show(cli, { rollout, secret, from, to, state, bindings, ...(joined === undefined ? {} : { joined }) });
  if (state === "running") return EXIT_CANNOT_TELL;
  return state === "done" ? 0 : 1;
};

function joinedText({ joined, rollout, secret, from, to }: RotationAnswer): string {
  if (joined !== rollout) return joinedRenewalText(secret);
  return `${secret} is already being rotated (${versionsText({ from, to })}): this command follows that rollout and makes no other value.`;
}

function show({ output }: Cli, rotation: Rotation): void {
  output.answer(rotation, () => {
    const { rollout, secret, to, state, bindings } = rotation;
    const verb = state === "planned" ? "would go" : state === "done" ? "went" : "goes";
    output.line(`${secret} ${verb} ${versionsText(rotation)}: ${state}`);
    for (const line of previewLines(rotation)) output.line(line);
    for (const line of leftBehindLines(rotation.leftBehind ?? [])) output.line(line);
    if (bindings.length === 0) output.line("It is not bound to any target.");
    else {
      showTable(
        output,
        bindingColumns(new Date(), { withSecret: false }),
        bindings.map((binding) => ({ ...binding, secret, current: to })),
      );
    }
    if (rollout !== null && state === "stalled")
      output.line(`It waits until somebody fixes the cause. To check: lockstep rollout show ${rollout}`);
    if (rollout !== null && state === "running") output.line(`To check: lockstep rollout show ${rollout}`);
  });
}

/** Of a dry run: in which order, how often each place restarts, how long the old value stays. */
function previewLines({ preview, strategy, bindings }: Rotation): readonly string[] {
  if (preview === undefined) return [];
  const { phases, deployments, settleForMs, because } = preview;
  const roles = [...new Set(bindings.map(({ role }) => role))];
  return [
    `${strategy ?? "replace"}: ${phases.join(" ▸ ")}`,
    ...(roles.length === 0
      ? []
      : [`restarts: ${roles.map((role) => `${role} ${deployments[role]}`).join(", ")} times each`]),
    ...(settleForMs > 0
      ? [`the old value stays accepted for ${durationText(settleForMs)} after the last known caller has left`]
      : []),
    ...(because.length > 0 ? ["all at once, with a short time in which places differ, because"] : []),
    ...because.map((reason) => `  ${reason}`),
  ];
}

/** A person decides about them before a process uses one of them. */
function leftBehindLines(leftBehind: RotationAnswer["leftBehind"]): readonly string[] {
  const named = (wins: boolean): string =>
    leftBehind
      .filter((one) => one.wins === wins)
      .map(({ target, copy }) => `${target}: ${copy}`)
      .join("; ");
  return [
    ...(named(true) === ""
      ? []
      : [`overrides ours and keeps the old value: ${named(true)}. See \`lockstep doctor\`.`]),
    ...(named(false) === "" ? [] : [`is also stored elsewhere, and is not changed there: ${named(false)}`]),
  ];
}
