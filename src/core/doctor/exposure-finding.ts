/** Who else is given a secret by the very platform that runs the service: its builds, environments of pull requests. Pure. */
import type { Exposure } from "../ports/target.ts";
import { aboutTarget } from "./about-target.ts";
import type { Commands } from "./commands.ts";
import { listText } from "./consequences.ts";
import type { DoctorFacts, TargetFacts } from "./facts.ts";
import type { Finding } from "./finding.ts";

const WORDS: Readonly<
  Record<
    Exposure["to"],
    {
      readonly id: "exposed-to-builds" | "exposed-to-pull-requests";
      readonly who: string;
      readonly cause: string;
    }
  >
> = {
  builds: {
    id: "exposed-to-builds",
    who: "Builds",
    cause:
      "The service is built there, and a build gets every variable: its build scripts, and the packages that they install, can read them. Deploy an image that is built elsewhere, or state that this is intended: `mayReach: [builds]` at the target. Then test it again.",
  },
  "pull-requests": {
    id: "exposed-to-pull-requests",
    who: "Environments of pull requests",
    cause:
      "They are copied from this environment, with its values: whoever may open a pull request can run code that reads them. Seal the variable there, have them copied from another environment, or state that this is intended: `mayReach: [pull-requests]` at the target. Then test it again.",
  },
};

/** One for each target and audience: what is done about it is done once. */
export function exposuresOf(
  target: TargetFacts,
  { secrets }: Pick<DoctorFacts, "secrets">,
  commands: Commands,
): readonly Finding[] {
  return target.exposures.flatMap(({ to, except }) => {
    const reached = secrets.filter(({ bindings }) =>
      bindings.some(
        (binding) =>
          binding.target === target.name &&
          binding.targetEnvironment === target.environment &&
          binding.settled !== null &&
          !except.includes(binding.key),
      ),
    );
    if (reached.length === 0) return [];
    const { id, who, cause } = WORDS[to];
    return [
      {
        ...aboutTarget(target),
        id,
        severity: "hint",
        what: `${who} of ${target.name} are given ${listText(reached.map(({ name }) => name))}.`,
        cause,
        consequence: [],
        command: commands.test(target),
      },
    ];
  });
}
