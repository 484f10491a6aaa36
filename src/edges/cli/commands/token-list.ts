/** `lockstep token list`. */
import { ageText } from "../../../lib/age.ts";
import type { TokenView } from "../../../protocol/api-tokens.ts";
import type { CommandFunction } from "../cli.ts";
import { showTable } from "../table.ts";

export const run: CommandFunction<[], unknown> = async (cli) => {
  const api = await cli.api();
  const answer = await api.call("listTokens");
  const now = new Date();
  cli.output.answer(answer, () =>
    showTable<TokenView>(
      cli.output,
      [
        { header: "id", cell: (token) => token.id },
        { header: "name", cell: (token) => token.name },
        { header: "scopes", cell: (token) => token.scopes.join(",") },
        { header: "made", cell: (token) => `${ageText(token.createdAt, now)} by ${token.createdBy}` },
        { header: "used", cell: (token) => ageText(token.lastUsedAt, now) },
        { header: "expires", cell: (token) => token.expiresAt ?? "never" },
        { header: "", cell: (token) => (token.revokedAt === null ? "" : "revoked"), tone: () => "dim" },
      ],
      answer.tokens,
    ),
  );
  return 0;
};
