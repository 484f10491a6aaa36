/** `lockstep target list`: the places, and what is owed there. */
import { ageText, durationText } from "../../../lib/age.ts";
import type { TargetView } from "../../../protocol/api-views.ts";
import type { CommandFunction } from "../cli.ts";
import { showTable } from "../table.ts";

export const run: CommandFunction<[], { readonly environment?: string }> = async (
  cli,
  _parameters,
  options,
) => {
  const api = await cli.api();
  const answer = await api.call("listTargets", {
    query: options.environment === undefined ? {} : { environment: options.environment },
  });
  const now = new Date();
  cli.output.answer(answer, () =>
    showTable<TargetView>(
      cli.output,
      [
        { header: "target", cell: (target) => target.name, shrink: true },
        { header: "environment", cell: (target) => target.environment },
        { header: "kind", cell: (target) => target.kind },
        { header: "bindings", cell: (target) => String(target.bindings) },
        {
          header: "looked at",
          cell: ({ checkedAt }) => (checkedAt === null ? "–" : ageText(checkedAt, now)),
        },
        { header: "again in", cell: ({ nextCheckAt }) => againText(nextCheckAt, now) },
        { header: "state", cell: (target) => target.state, tone: (target) => TONES[target.state] },
        {
          header: "error",
          cell: ({ error }) => (error === null ? "" : `${error.code}: ${error.message}`),
          below: true,
        },
      ],
      answer.targets,
      "There are no targets yet. Add them with `lockstep init` or in lockstep.yaml.",
    ),
  );
  return 0;
};

function againText(at: string | null, now: Date): string {
  return at === null ? "–" : durationText(Math.max(1_000, Date.parse(at) - now.getTime()));
}

const TONES = { settled: "good", owed: "warn", "gave-up": "bad" } as const;
