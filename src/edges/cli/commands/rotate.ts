/**
 * `lockstep rotate NAME`: a new value for every place. With --wait it stays until the rollout has ended; Ctrl-C leaves
 * the rollout going, because the server moves it, and says how to look again.
 */
import type { RotationAnswer } from "../../../protocol/api-rollouts.ts";
import type { Cli, CommandFunction } from "../cli.ts";
import { EXIT_CANNOT_TELL, followRollout } from "../follow.ts";
import { resolveSecret } from "../secret-name.ts";
import { bindingColumns } from "../show/binding-table.ts";
import { versionsText } from "../show/rollout.ts";

export interface RotateOptions {
  readonly environment?: string;
  readonly wait?: boolean;
  /** In ms. */
  readonly timeout?: number;
  readonly strategy?: RotationAnswer["strategy"];
  readonly dryRun?: boolean;
}

type Rotation = Omit<RotationAnswer, "strategy" | "environment">;

export const run: CommandFunction<[name: string], RotateOptions> = async (cli, [name], options) => {
  const { strategy, dryRun, wait } = options;
  const api = await cli.api();
  const started = await api.call("rotateSecret", {
    params: await resolveSecret(api, name, options.environment),
    body: {
      ...(strategy === undefined ? {} : { strategy }),
      ...(dryRun === true ? { dryRun } : {}),
    },
  });
  if (wait !== true || started.rollout === null) {
    show(cli, started);
    return 0;
  }
  const ended = await followRollout(cli, api, started.rollout, options.timeout);
  const { rollout, secret, from, to, state, bindings } = ended;
  show(cli, { rollout, secret, from, to, state, bindings });
  if (state === "running") return EXIT_CANNOT_TELL;
  return state === "done" ? 0 : 1;
};

function show({ output }: Cli, rotation: Rotation): void {
  output.answer(rotation, () => {
    const { rollout, secret, to, state, bindings } = rotation;
    const verb = state === "planned" ? "would go" : state === "done" ? "went" : "goes";
    output.line(`${secret} ${verb} ${versionsText(rotation)}: ${state}`);
    if (bindings.length === 0) output.line("It is bound nowhere.");
    else {
      output.table(
        bindingColumns(new Date(), { withSecret: false }),
        bindings.map((binding) => ({ ...binding, secret, current: to })),
      );
    }
    if (rollout !== null && state === "running") output.line(`Look with: lockstep rollout show ${rollout}`);
  });
}
