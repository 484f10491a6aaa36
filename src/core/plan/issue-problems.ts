/** What is wrong about the secrets that an issuer works with. Pure. */
import type { SecretConfig } from "../../protocol/config.ts";
import type { ConfigPath, ConfigProblem } from "../../protocol/config-problem.ts";
import { namesIn } from "../../protocol/issue.ts";

/** `around`: the secrets of the same environment, by name. */
export function issueProblems(
  path: ConfigPath,
  { issue }: SecretConfig,
  around: Readonly<Record<string, SecretConfig>>,
): readonly ConfigProblem[] {
  const named: readonly { readonly at: ConfigPath; readonly name: string }[] = [
    ...namesAt(["jwt", "key"], issue?.jwt?.key),
    ...namesAt(["oauth2", "clientSecret"], issue?.oauth2?.clientSecret),
    ...namesAt(["oauth2", "refreshToken"], issue?.oauth2?.refreshToken),
    ...Object.entries(issue?.http?.headers ?? {}).flatMap(([header, text]) =>
      namesIn(text).map((name) => ({ at: ["http", "headers", header], name })),
    ),
    ...namesIn(issue?.http?.body ?? "").map((name) => ({ at: ["http", "body"], name })),
  ];
  const problems: ConfigProblem[] = named
    .filter(({ name }) => !Object.hasOwn(around, name))
    .map(({ at, name }) => ({
      path: [...path, "issue", ...at],
      message: `names ${name}, a secret that this environment does not have`,
      remedy: `Add ${name} to the secrets, and set its value.`,
    }));
  const refresh = issue?.oauth2?.refreshToken;
  // The provider's next one takes its place at once; bound to places, it would have to reach them first.
  if (
    refresh !== undefined &&
    Object.hasOwn(around, refresh) &&
    (around[refresh]?.bindings.length ?? 0) > 0
  ) {
    problems.push({
      path: [...path, "issue", "oauth2", "refreshToken"],
      message: `names ${refresh}, which is bound to places`,
      remedy: "A refresh token is used here alone: take its bindings away.",
    });
  }
  return problems;
}

function namesAt(at: ConfigPath, name: string | undefined): readonly { at: ConfigPath; name: string }[] {
  return name === undefined ? [] : [{ at, name }];
}
