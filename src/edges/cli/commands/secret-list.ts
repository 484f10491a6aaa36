/** `lockstep secret list`: names and versions, never values. */
import { ageText } from "../../../lib/age.ts";
import type { ListedSecret } from "../../../protocol/api-secrets.ts";
import type { CommandFunction } from "../cli.ts";
import { showTable } from "../table.ts";

export const run: CommandFunction<[], { readonly environment?: string }> = async (
  cli,
  _parameters,
  options,
) => {
  const { environment } = options;
  const api = await cli.api();
  const answer = await api.call("listSecrets", { query: environment === undefined ? {} : { environment } });
  const now = new Date();
  cli.output.answer(answer, () =>
    showTable<ListedSecret>(
      cli.output,
      [
        { header: "secret", cell: (secret) => secret.name },
        { header: "environment", cell: (secret) => secret.environment },
        { header: "current", cell: ({ current }) => (current === null ? "–" : `v${current}`) },
        { header: "versions", cell: (secret) => String(secret.versions) },
        { header: "changed", cell: (secret) => ageText(secret.changedAt, now) },
      ],
      answer.secrets,
      "There are no secrets yet. Add them with `lockstep init` or in lockstep.yaml.",
    ),
  );
  return 0;
};
