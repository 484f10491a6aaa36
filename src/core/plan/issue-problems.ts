/** What is wrong about the secrets that an issuer works with. Pure. */
import type { SecretConfig } from "../../protocol/config.ts";
import type { ConfigPath, ConfigProblem } from "../../protocol/config-problem.ts";
import { namesIn, refreshOf } from "../../protocol/issue.ts";

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
  const { at, name: refresh } = presentedBy(issue);
  // The provider's next one takes its place at once; bound to places, it would have to reach them first.
  if (
    refresh !== undefined &&
    Object.hasOwn(around, refresh) &&
    (around[refresh]?.bindings.length ?? 0) > 0
  ) {
    problems.push({
      path: [...path, "issue", ...at],
      message: `names ${refresh}, which is bound to places`,
      remedy: "Only Lockstep may use a refresh token: remove its bindings.",
    });
  }
  return problems;
}

/** What a request uses up, and where that is said. */
function presentedBy(issue: SecretConfig["issue"]): { readonly at: ConfigPath; readonly name?: string } {
  if (issue?.oauth2?.refreshToken !== undefined)
    return { at: ["oauth2", "refreshToken"], name: issue.oauth2.refreshToken };
  const used = issue?.http === undefined ? null : refreshOf(issue.http);
  return used === null ? { at: [] } : { at: ["http"], name: used.secret };
}

function namesAt(at: ConfigPath, name: string | undefined): readonly { at: ConfigPath; name: string }[] {
  return name === undefined ? [] : [{ at, name }];
}
