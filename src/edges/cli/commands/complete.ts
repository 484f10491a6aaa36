/**
 * `lockstep __complete WHAT`: names for a shell that completes a line, one per line. Somebody is typing: it answers
 * within a second or not at all, and never with an error.
 *
 * Attacker: whoever can name something at the server. Gain: a name that a shell would expand when it is completed.
 * Defence: only names that no shell takes for anything else are printed.
 */
import type { Cli, CommandFunction } from "../cli.ts";
import type { ApiClient } from "../client.ts";
import type { DynamicNames } from "../completion/model.ts";

const TIMEOUT_MS = 1_000;
const HARMLESS = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;

export const run: CommandFunction<[what: DynamicNames], unknown> = async (cli, [what]) => {
  const timer = new AbortController();
  const timeout = setTimeout(() => timer.abort(), TIMEOUT_MS);
  const names = await Promise.race([
    namesOf(cli, what, timer.signal).catch(() => []),
    new Promise<readonly string[]>((resolve) => timer.signal.addEventListener("abort", () => resolve([]))),
  ]);
  clearTimeout(timeout);
  timer.abort();
  for (const name of new Set(names)) if (HARMLESS.test(name)) cli.output.line(name);
  return 0;
};

async function namesOf(cli: Cli, what: DynamicNames, signal: AbortSignal): Promise<readonly string[]> {
  const api: ApiClient = await cli.api();
  switch (what) {
    case "secrets":
      return (await api.call("listSecrets", {}, signal)).secrets.map(({ name }) => name);
    case "targets":
      return (await api.call("listTargets", {}, signal)).targets.map(({ name }) => name);
    case "rollouts":
      return (await api.call("listRollouts", {}, signal)).rollouts.map(({ rollout }) => rollout);
    case "environments": {
      const [{ secrets }, { targets }] = await Promise.all([
        api.call("listSecrets", {}, signal),
        api.call("listTargets", {}, signal),
      ]);
      return [...secrets, ...targets].map(({ environment }) => environment);
    }
  }
}
