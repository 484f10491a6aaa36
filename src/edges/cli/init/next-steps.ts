/** What comes after `init`, as commands in order. */
import { shellCommand } from "../../../lib/shell-quote.ts";
import { type Answers, PASSPHRASE_VARIABLE, TOKEN_VARIABLE, VAULT_TOKEN_VARIABLE } from "./answers.ts";

export interface Step {
  readonly command: string;
  readonly why: string;
}

export interface StepsFor {
  readonly answers: Answers;
  /** As given with -f; null: the default. */
  readonly file: string | null;
  readonly serverRuns: boolean;
  /** Variables that the next command would lack. */
  readonly toSet: readonly string[];
  /** What the plan says of a value that is in use; null: nobody looked. */
  readonly adopt: string | null;
}

export function nextSteps({ answers, file, serverRuns, toSet, adopt }: StepsFor): readonly Step[] {
  const { secret, targets } = answers;
  const withFile = (command: string): string =>
    file === null ? `lockstep ${command}` : shellCommand(["lockstep", command, "-f", file]);
  const [first] = targets;
  const steps: Step[] = toSet.map((variable) => ({
    command: `read -rs ${variable} && export ${variable}`,
    why: `${WHAT[variable] ?? "a credential"}, typed unseen`,
  }));
  if (!serverRuns) steps.push({ command: "lockstep up", why: "starts Lockstep here; leave it running" });
  steps.push(
    { command: withFile("plan"), why: "what would change; writes nothing" },
    { command: withFile("apply"), why: "asks for confirmation, and makes the changes" },
  );
  for (const { kind, target } of targets) {
    if (kind === "agent") {
      steps.push({
        command: `lockstep agent invite ${target}`,
        why: `prints the line that enrols the agent on ${target}`,
      });
    }
  }
  if (secret.value === "generate") {
    steps.push({
      command: `lockstep secret generate ${secret.name}`,
      why: "makes the first value, for every place",
    });
  } else if (adopt !== null) {
    steps.push({ command: adopt, why: "imports the value in use" });
  } else if (first !== undefined) {
    steps.push({
      command: `lockstep import ${secret.name} --from ${first.target}`,
      why: "imports the value from the place where it is right; name that place",
    });
  }
  steps.push({ command: "lockstep status", why: "which version each place holds" });
  return steps;
}

const WHAT: Readonly<Record<string, string>> = {
  [TOKEN_VARIABLE]: "the Railway token",
  [VAULT_TOKEN_VARIABLE]: "the Vault token",
  [PASSPHRASE_VARIABLE]: "the key's passphrase",
};
