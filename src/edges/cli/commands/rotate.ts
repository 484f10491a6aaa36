/**
 * `lockstep rotate NAME`: a new value for every place. With --wait it stays until the rollout has ended; Ctrl-C leaves
 * the rollout going, because the server moves it, and says how to look again.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { RotationAnswer } from "../../../protocol/api-rollouts.ts";
import type { RolloutView } from "../../../protocol/api-views.ts";
import type { Cli, CommandFunction } from "../cli.ts";
import type { ApiClient } from "../client.ts";
import { resolveSecret } from "../secret-name.ts";
import { bindingColumns, versionText } from "../show/binding-table.ts";
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

const POLL_MS = 500;
const EXIT_CANNOT_TELL = 4;

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
  const ended = await waitFor(cli, api, started.rollout, options.timeout);
  const { rollout, secret, from, to, state, bindings } = ended;
  show(cli, { rollout, secret, from, to, state, bindings });
  if (state === "running") return EXIT_CANNOT_TELL;
  return state === "done" ? 0 : 1;
};

/** Until it has ended, stalls, or nobody wants to wait any longer. */
async function waitFor(
  cli: Cli,
  api: ApiClient,
  rollout: string,
  timeoutMs: number | undefined,
): Promise<RolloutView> {
  const deadline = timeoutMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + timeoutMs;
  for (;;) {
    const view = await api.call("getRollout", { params: { rollout } });
    cli.output.progress(progressLines(view));
    const waiting = view.state === "running" && !cli.interrupted.aborted && Date.now() < deadline;
    if (!waiting) {
      if (view.state === "running")
        cli.output.note(`The rollout goes on. Look again: lockstep rollout show ${rollout}`);
      if (view.state === "stalled") {
        cli.output.note(
          `It waits for a repair: ${view.reason ?? ""}\nThen: lockstep rollout resume ${rollout}`,
        );
      }
      return view;
    }
    await delay(POLL_MS, undefined, { signal: cli.interrupted }).catch(() => undefined);
  }
}

function progressLines(view: RolloutView): readonly string[] {
  const width = Math.max(...view.bindings.map(({ target }) => target.length), 0);
  return view.bindings.map((binding) => {
    const version = versionText({ version: binding.version, current: view.to });
    const reason = binding.reason === null ? "" : `  ${binding.reason}`;
    return `${binding.target.padEnd(width)}  ${version}  ${binding.evidence ?? "–"}${reason}`;
  });
}

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
