/**
 * What the configuration may say already and this release does not do yet. Nothing is dropped in silence: what would
 * give false comfort, or would have to be stored openly although it may hold a credential, is refused; what waits
 * harmlessly is stored, and told at every plan.
 */
import type { BindingConfig, Config } from "../../protocol/config.ts";
import type { ConfigPath, ConfigProblem } from "../../protocol/config-problem.ts";

interface Limit<Subject> {
  readonly applies: (subject: Subject) => boolean;
  /** Below the subject. */
  readonly path: ConfigPath;
  readonly message: string;
  readonly remedy: string;
}

export interface ReleaseLimits {
  readonly refused: readonly ConfigProblem[];
  readonly inert: readonly ConfigProblem[];
}

const LATER = "belongs to a later release";

const BINDING_INERT: readonly Limit<BindingConfig>[] = [
  {
    applies: (binding) => binding.drift === "heal",
    path: ["drift"],
    message: "is stored, and this release reports drift without healing it by itself",
    remedy: "Look with `lockstep check`.",
  },
];

export function releaseLimits(config: Config): ReleaseLimits {
  const refused: ConfigProblem[] = [];
  const inert: ConfigProblem[] = [];
  if (config.alerts !== undefined && Object.keys(config.alerts).length > 0) {
    // Believing in an alert that nobody sends is worse than having none.
    refused.push({ path: ["alerts"], message: LATER, remedy: "Leave it out; nobody would be alerted." });
  }
  for (const [environment, { secrets }] of Object.entries(config.environments)) {
    for (const [name, secret] of Object.entries(secrets)) {
      const path = ["environments", environment, "secrets", name];
      for (const [index, binding] of secret.bindings.entries()) {
        inert.push(...matching(BINDING_INERT, binding, [...path, "bindings", index]));
      }
    }
  }
  return { refused, inert };
}

function matching<Subject>(
  limits: readonly Limit<Subject>[],
  subject: Subject,
  path: ConfigPath,
): ConfigProblem[] {
  return limits
    .filter((limit) => limit.applies(subject))
    .map((limit) => ({ path: [...path, ...limit.path], message: limit.message, remedy: limit.remedy }));
}
