/** `lockstep rollout list`. */
import { ageText } from "../../../lib/age.ts";
import type { RolloutSummary } from "../../../protocol/api-views.ts";
import type { CommandFunction } from "../cli.ts";
import { rolloutTone, versionsText } from "../show/rollout.ts";
import { showTable } from "../table.ts";

export interface RolloutListOptions {
  readonly environment?: string;
  readonly secret?: string;
  readonly open?: boolean;
  readonly limit?: number;
}

export const run: CommandFunction<[], RolloutListOptions> = async (cli, _parameters, options) => {
  const { environment, secret, open, limit } = options;
  const api = await cli.api();
  const answer = await api.call("listRollouts", {
    query: {
      ...(environment === undefined ? {} : { environment }),
      ...(secret === undefined ? {} : { secret }),
      ...(open === true ? { open: "true" } : {}),
      ...(limit === undefined ? {} : { limit }),
    },
  });
  const now = new Date();
  cli.output.answer(answer, () =>
    showTable<RolloutSummary>(
      cli.output,
      [
        { header: "rollout", cell: (rollout) => rollout.rollout },
        { header: "secret", cell: (rollout) => rollout.secret, shrink: true },
        { header: "environment", cell: (rollout) => rollout.environment },
        { header: "versions", cell: versionsText },
        { header: "strategy", cell: (rollout) => rollout.strategy },
        { header: "phase", cell: (rollout) => rollout.phase },
        { header: "state", cell: (rollout) => rollout.state, tone: (rollout) => rolloutTone(rollout.state) },
        { header: "started", cell: (rollout) => ageText(rollout.startedAt, now) },
        { header: "reason", cell: (rollout) => rollout.reason ?? "", below: true },
      ],
      answer.rollouts,
      "There are no rollouts, or none matches.",
    ),
  );
  return 0;
};
