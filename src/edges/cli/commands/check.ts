/** `lockstep check`: asks the places now. Exits with 3 when something differs, with 4 when it cannot tell. */
import type { CheckAnswer } from "../../../protocol/api-views.ts";
import type { Cli, CommandFunction } from "../cli.ts";
import type { ApiClient } from "../client.ts";
import { poll } from "../follow.ts";
import { stateTone } from "../show/binding-table.ts";
import { showTable } from "../table.ts";

export interface CheckOptions {
  readonly environment?: string;
  readonly target?: string;
  /** Says only what differs or cannot be told. */
  readonly quiet?: boolean;
}

const EXIT_DRIFT = 3;
const EXIT_CANNOT_TELL = 4;
/** A push of which nothing went wrong yet. */
const PUSHES_WITHIN_MS = 60_000;

export const run: CommandFunction<[], CheckOptions> = async (cli, _parameters, options) => {
  const { environment, target, quiet = false } = options;
  const api = await cli.api();
  const ask = () =>
    cli.output.while("Checking the places", () =>
      api.call("check", {
        body: {
          ...(environment === undefined ? {} : { environment }),
          ...(target === undefined ? {} : { target }),
        },
      }),
    );
  const first = await ask();
  // What is being brought there at this moment is no drift: it is waited for, and looked at once more.
  const answer = (await waitForPushes(cli, api, first, environment)) ? await ask() : first;
  const all = answer.targets.flatMap(toLines);
  const lines = quiet ? all.filter(({ state }) => state !== "in-sync") : all;
  cli.output.answer(answer, () => {
    if (quiet && lines.length === 0) return;
    showTable<CheckLine>(
      cli.output,
      [
        { header: "target", cell: (line) => line.target, shrink: true, group: true },
        { header: "secret", cell: (line) => line.secret, shrink: true },
        { header: "key", cell: ({ secret, key }) => (key === secret ? "" : key), shrink: true },
        { header: "state", cell: (line) => line.state, tone: (line) => stateTone(line.state) },
        { header: "reason", cell: (line) => line.reason ?? "", below: true },
      ],
      lines,
      "There is nothing to check: no target has a binding.",
    );
    if (lines.length > 0) cli.output.line(summary(all));
  });
  return exitCode(answer);
};

/** Answers whether there was something to wait for. What fails, or needs a person, is not waited for. */
async function waitForPushes(
  cli: Cli,
  api: ApiClient,
  { targets }: CheckAnswer,
  environment: string | undefined,
): Promise<boolean> {
  const names = new Set(
    targets.filter(({ bindings }) => bindings.some(({ state }) => state === "owed")).map((one) => one.target),
  );
  if (names.size === 0) return false;
  const look = async () => {
    const all = await api.call("listTargets", { query: environment === undefined ? {} : { environment } });
    return all.targets.filter(
      ({ name, state, error }) => names.has(name) && state === "owed" && error === null,
    );
  };
  if ((await look()).length === 0) return false;
  await poll(cli, PUSHES_WITHIN_MS, {
    look,
    lines: (owed) => owed.map(({ name }) => `Lockstep is bringing ${name} what it should hold`),
    goesOn: (owed) => owed.length > 0,
    stillGoesOn: "The work goes on. To check again: lockstep check",
  });
  return true;
}

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
