/** `lockstep secret versions NAME`. */
import { ageText } from "../../../lib/age.ts";
import type { VersionView } from "../../../protocol/api-secrets.ts";
import type { CommandFunction } from "../cli.ts";
import { resolveSecret } from "../secret-name.ts";
import { showTable } from "../table.ts";

export const run: CommandFunction<[name: string], { readonly environment?: string }> = async (
  cli,
  [name],
  options,
) => {
  const api = await cli.api();
  const params = await resolveSecret(api, name, options.environment);
  const answer = await api.call("listVersions", { params });
  const now = new Date();
  cli.output.answer({ ...params, ...answer }, () =>
    showTable<VersionView>(
      cli.output,
      [
        { header: "version", cell: ({ version }) => `v${version}` },
        {
          header: "state",
          cell: ({ state }) => state,
          tone: ({ state }) => (state === "current" ? "good" : null),
        },
        { header: "made", cell: ({ createdAt }) => ageText(createdAt, now) },
        { header: "by", cell: ({ createdBy }) => createdBy },
        { header: "expires", cell: ({ expiresAt }) => expiresAt ?? "–" },
        {
          header: "",
          cell: ({ compromisedAt }) => (compromisedAt === null ? "" : "compromised"),
          tone: () => "bad",
        },
      ],
      answer.versions,
    ),
  );
  return 0;
};
