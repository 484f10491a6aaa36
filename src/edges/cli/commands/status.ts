/** `lockstep status`: the matrix of secrets and targets, from what is recorded. Exits with 4 where the store was set back. */
import { setTimeout as delay } from "node:timers/promises";
import { LockstepError } from "../../../core/errors.ts";
import { ageText, durationText } from "../../../lib/age.ts";
import type { SecretStatus, StatusAnswer } from "../../../protocol/api-views.ts";
import type { Cli, CommandFunction } from "../cli.ts";
import type { ApiClient } from "../client.ts";
import { EXIT_CANNOT_TELL } from "../follow.ts";
import { readPages } from "../pages.ts";
import { type BindingLine, bindingColumns, needsPerson, stateText } from "../show/binding-table.ts";
import { showSetBack } from "../show/epoch.ts";
import { showTable } from "../table.ts";

export interface StatusOptions {
  readonly environment?: string;
  readonly watch?: boolean;
  /** Between two looks, in ms. */
  readonly every?: number;
}

const WATCH_EVERY_MS = 2_000;

export const run: CommandFunction<[], StatusOptions> = async (cli, _parameters, options) => {
  const { environment, watch = false, every = WATCH_EVERY_MS } = options;
  if (options.every !== undefined && !watch)
    throw new LockstepError("USAGE", "Cannot use --every without --watch, which it belongs to.");
  const api = await cli.api();
  const filter = environment === undefined ? {} : { environment };
  for (;;) {
    const answer = await readStatus(api, filter).catch((error: unknown) => {
      if (watch && cli.interrupted.aborted) return null;
      throw error;
    });
    if (answer === null) return 0;
    const { setBack, secrets } = answer;
    const tell = () => {
      if (setBack !== null) showSetBack(cli.output, setBack, new Date());
      show(cli, secrets);
    };
    if (watch) cli.output.anew(answer, tell);
    else cli.output.answer(answer, tell);
    // What it knows is from before: that places are in sync with it says nothing.
    if (!watch || cli.interrupted.aborted) return setBack === null ? 0 : EXIT_CANNOT_TELL;
    await delay(every, undefined, { signal: cli.interrupted }).catch(() => undefined);
    if (cli.interrupted.aborted) return 0;
  }
};

type WholeStatus = Pick<StatusAnswer, "secrets" | "setBack">;

async function readStatus(api: ApiClient, filter: { readonly environment?: string }): Promise<WholeStatus> {
  let setBack: StatusAnswer["setBack"] = null;
  const { rows } = await readPages({}, async (page) => {
    const answer = await api.call("getStatus", { query: { ...filter, ...page } });
    ({ setBack } = answer);
    return { rows: answer.secrets, next: answer.next };
  });
  return { secrets: [...rows], setBack };
}

function show({ output }: Cli, secrets: readonly SecretStatus[]): void {
  const environments = [...new Set(secrets.map((secret) => secret.environment))];
  if (environments.length === 0)
    output.line("There are no secrets yet. `lockstep init` writes lockstep.yaml, `lockstep apply` reads it.");
  for (const environment of environments) {
    const inIt = secrets.filter((secret) => secret.environment === environment);
    if (environments.length > 1) output.line(`${environment}:`);
    const lines = inIt.flatMap(toLines);
    if (lines.length > 0) showTable(output, bindingColumns(new Date(), { withSecret: true }), lines);
    for (const secret of inIt.filter(({ bindings }) => bindings.length === 0)) {
      output.line(
        `${secret.name}: ${secret.current === null ? "no value" : `v${secret.current}`}, bound nowhere`,
      );
    }
    for (const secret of inIt) {
      const told = acceptedText(secret, new Date());
      if (told !== null) output.line(told);
    }
    for (const { name, current, expiresAt } of inIt) {
      if (expiresAt !== null) output.line(`${name} v${String(current)} ${endText(expiresAt, new Date())}`);
    }
    if (lines.length > 0) output.line(summary(lines));
  }
}

/** `GATEWAY_TOKEN v5, current for 3 h: gateway accepts it (asked 2 min ago), refuses v4.` Null: nobody was asked. */
function acceptedText({ name, current, currentSince, bindings }: SecretStatus, now: Date): string | null {
  const told = bindings.flatMap(({ target, accepts = [] }) => {
    const words = accepts.map(({ version, verdict, at }) => {
      const asked = at === null ? "" : ` (asked ${ageText(at, now)})`;
      return `${WORDS[verdict]} ${version === current ? "it" : `v${version}`}${asked}`;
    });
    return words.length === 0 ? [] : [`${target} ${words.join(", ")}`];
  });
  if (told.length === 0 || current === null) return null;
  const since =
    currentSince === null ? "" : `, current for ${durationText(now.getTime() - Date.parse(currentSince))}`;
  return `${name} v${current}${since}: ${told.join("; ")}.`;
}

const WORDS = { accepted: "accepts", refused: "REFUSES", "cannot-tell": "could not be checked" };

/** Of a token. Who makes the next one, and when, `renewals` says. */
function endText(expiresAt: string, now: Date): string {
  const leftMs = Date.parse(expiresAt) - now.getTime();
  return leftMs > 0
    ? `is good for another ${durationText(leftMs)}.`
    : `EXPIRED ${ageText(expiresAt, now)}: whoever sends it is refused. To check: lockstep renewals`;
}

function toLines(secret: SecretStatus): BindingLine[] {
  return secret.bindings.map((binding) => ({ ...binding, secret: secret.name, current: secret.current }));
}

function summary(lines: readonly BindingLine[]): string {
  const unset = [...new Set(lines.filter(({ current }) => current === null).map(({ secret }) => secret))];
  if (unset.length > 0) return `Without a value, so nothing is pushed yet: ${unset.join(", ")}.`;
  const wrong = lines.filter(({ state }) => state !== "in-sync");
  if (wrong.length === 0) return `All ${lines.length} bindings are in sync, as far as Lockstep knows.`;
  const waiting = wrong.filter((line) => !needsPerson(line));
  const needing = wrong.filter(needsPerson);
  const parts = [
    ...(needing.length === 0
      ? []
      : [`${count(needing, lines, "needs", "need")} a person: ${named(needing)}`]),
    ...(waiting.length === 0
      ? []
      : [`${count(waiting, lines, "is on its way", "are on their way")}: ${named(waiting)}`]),
  ];
  return parts.join("\n");
}

function count(
  some: readonly BindingLine[],
  all: readonly BindingLine[],
  ...[one, several]: readonly [string, string]
): string {
  return `${some.length} of ${all.length} bindings ${some.length === 1 ? one : several}`;
}

const MAX_NAMED = 3;

function named(lines: readonly BindingLine[]): string {
  const words = lines
    .slice(0, MAX_NAMED)
    .map((line) => `${line.secret} at ${line.target} is ${stateText(line)}`);
  const more = lines.length > words.length ? `, and ${lines.length - words.length} more` : "";
  return `${words.join(", ")}${more}.`;
}
