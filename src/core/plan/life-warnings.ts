/** Which tokens nobody knows the end of: those are never renewed, and whoever sends them is refused one day. Pure. */
import type { Config, SecretConfig } from "../../protocol/config.ts";
import type { ConfigPath, ConfigProblem } from "../../protocol/config-problem.ts";

const REMEDY = "Set `life: 1h` there (or its real life), then run `lockstep renew NAME`.";

/** `isEndless`: the token that is there now came without an end. */
export function lifeWarnings(
  config: Config,
  isEndless: (environment: string, secret: string) => boolean,
): readonly ConfigProblem[] {
  return Object.entries(config.environments).flatMap(([environment, { secrets }]) =>
    Object.entries(secrets).flatMap(([name, { issue }]): readonly ConfigProblem[] => {
      const at = whereUnsaid(issue);
      if (at === null) return [];
      const path: ConfigPath = ["environments", environment, "secrets", name, "issue", ...at.path];
      const remedy = REMEDY.replace("NAME", name);
      if (isEndless(environment, name))
        return [{ path, message: "gave a token without an end, which is never renewed by itself", remedy }];
      return at.isSaidNowhere
        ? [
            {
              path,
              message:
                "says nowhere how long its token lives: unless that says so itself, it is never renewed",
              remedy,
            },
          ]
        : [];
    }),
  );
}

/** Null: its life is said here, or it is made here. */
function whereUnsaid(
  issue: SecretConfig["issue"],
): { readonly path: ConfigPath; readonly isSaidNowhere: boolean } | null {
  const { http, oauth2, command } = issue ?? {};
  if (http !== undefined && [http.life, http.expiresIn, http.expiresAt].every((one) => one === undefined))
    return { path: ["http"], isSaidNowhere: true };
  // What these answer usually says it: only what came tells.
  if (oauth2 !== undefined && oauth2.life === undefined) return { path: ["oauth2"], isSaidNowhere: false };
  if (command !== undefined && command.life === undefined) return { path: ["command"], isSaidNowhere: false };
  return null;
}
