/** `lockstep token create NAME`: the token alone on stdout, so that it can be piped to where it belongs. */
import type { CommandFunction } from "../cli.ts";

export interface TokenCreateOptions {
  readonly scope: readonly string[];
  readonly expires: number | null;
}

export const run: CommandFunction<[name: string], TokenCreateOptions> = async (
  cli,
  [name],
  { scope, expires },
) => {
  const api = await cli.api();
  const answer = await api.call("createToken", { body: { name, scopes: [...scope], expiresInMs: expires } });
  cli.output.answer(answer, () => {
    const until = answer.expiresAt === null ? "until it is revoked" : `until ${answer.expiresAt}`;
    cli.output.note(
      `note: token ${answer.id} (${scope.join(", ")}), valid ${until}. It is shown only this time:`,
    );
    cli.output.line(answer.token);
  });
  return 0;
};
