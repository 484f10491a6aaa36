/** `lockstep store move-values`: part by part, until one whole way moved nothing any more or nothing is left. */
import type { MovedValues } from "../../../protocol/api-store.ts";
import type { CommandFunction } from "../cli.ts";

export const run: CommandFunction<[], unknown> = async (cli) => {
  const api = await cli.api();
  const { output } = cli;
  let moved = 0;
  let unreadable: MovedValues["unreadable"] = [];
  let last: MovedValues;
  for (;;) {
    let onThisWay = 0;
    unreadable = [];
    let after: MovedValues["next"] = null;
    do {
      last = await api.call("moveValues", { body: { after } });
      after = last.next;
      onThisWay += last.moved;
      unreadable = [...unreadable, ...last.unreadable];
      if (last.left > 0) output.progress([`Moved ${moved + onThisWay} values, ${last.left} left…`]);
    } while (after !== null);
    moved += onThisWay;
    if (last.left === 0 || onThisWay === 0) break;
  }
  output.endProgress();
  const { to, left } = last;
  output.answer({ to, moved, left, unreadable }, () => {
    output.line(`Moved ${moved} ${moved === 1 ? "value" : "values"} to ${STORES[to]}.`);
    for (const { secret, environment, version, code } of unreadable)
      output.line(
        `Could not be read and was not moved: v${version} of ${secret} in ${environment} (${code})`,
      );
    output.line(
      left === 0
        ? "No value is left in the other store."
        : `Still in the other store: ${left} ${left === 1 ? "value" : "values"}. Keep the settings of that store; \`lockstep doctor\` says what is wrong.`,
    );
  });
  return left === 0 ? 0 : 1;
};

const STORES = { postgres: "Postgres", vault: "Vault" } as const;
