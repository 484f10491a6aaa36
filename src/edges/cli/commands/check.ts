/** `lockstep check`: asks the places now. Exits with 3 when something differs, with 4 when it cannot tell. */
import type { CheckAnswer } from "../../../protocol/api-views.ts";
import type { CommandFunction } from "../cli.ts";
import { stateTone } from "../show/binding-table.ts";

export interface CheckOptions {
  readonly environment?: string;
  readonly target?: string;
  /** Says only what differs or cannot be told. */
  readonly quiet?: boolean;
}

const EXIT_DRIFT = 3;
const EXIT_CANNOT_TELL = 4;

export const run: CommandFunction<[], CheckOptions> = async (cli, _parameters, options) => {
  const { environment, target, quiet = false } = options;
  const api = await cli.api();
  const answer = await cli.output.while("Asking the places", () =>
    api.call("check", {
      body: {
        ...(environment === undefined ? {} : { environment }),
        ...(target === undefined ? {} : { target }),
      },
    }),
  );
  const all = answer.targets.flatMap(toLines);
  const lines = quiet ? all.filter(({ state }) => state !== "in-sync") : all;
  cli.output.answer(answer, () => {
    if (quiet && lines.length === 0) return;
    cli.output.table<CheckLine>(
      [
        { header: "target", cell: (line) => line.target, shrink: true, group: true },
        { header: "secret", cell: (line) => line.secret, shrink: true },
        { header: "key", cell: ({ secret, key }) => (key === secret ? "" : key), shrink: true },
        { header: "state", cell: (line) => line.state, tone: (line) => stateTone(line.state) },
        { header: "reason", cell: (line) => line.reason ?? "", below: true },
      ],
      lines,
      "There is nothing to ask: no target has a binding.",
    );
    if (lines.length > 0) cli.output.line(summary(all));
  });
  return exitCode(answer);
};

function summary(lines: readonly CheckLine[]): string {
  const wrong = lines.filter(({ state }) => state !== "in-sync");
  if (wrong.length === 0) return `All ${lines.length} are in sync.`;
  const targets = [...new Set(wrong.map(({ target }) => target))];
  return `${wrong.length} of ${lines.length} are not in sync, at ${targets.join(", ")}.`;
}

type CheckedTarget = CheckAnswer["targets"][number];

interface CheckLine {
  readonly target: string;
  readonly secret: string;
  readonly key: string;
  readonly state: CheckedTarget["bindings"][number]["state"];
  readonly reason: string | null;
}

function toLines({ target, error, bindings }: CheckedTarget): readonly CheckLine[] {
  if (error !== null) {
    const reason = `${error.message} ${error.hint}`;
    return [{ target, secret: "–", key: "", state: "unreadable", reason }];
  }
  return bindings.map((binding) => ({ target, ...binding }));
}

/** What surely differs weighs more than what could not be seen. */
function exitCode({ targets }: CheckAnswer): number {
  const states = targets.flatMap(({ bindings }) => bindings.map(({ state }) => state));
  if (states.some((state) => state !== "in-sync" && state !== "unreadable")) return EXIT_DRIFT;
  const blind = targets.some(({ error }) => error !== null) || states.includes("unreadable");
  return blind ? EXIT_CANNOT_TELL : 0;
}
