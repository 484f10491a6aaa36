/** The environment and its first secret. */
import { environmentName, secretName } from "../../../protocol/config.ts";
import type { Role, SecretAnswers } from "./answers.ts";
import { type Asker, type Choice, checkedBy } from "./asker.ts";

export interface SecretOptions {
  readonly environment?: string;
  readonly secret?: string;
  readonly value?: SecretAnswers["value"];
}

const VALUES: readonly Choice[] = [
  { value: "import", label: "import: it already exists, and Lockstep imports the value in use" },
  { value: "generate", label: "generate: Lockstep makes a new random value" },
];

const ROLES: readonly Choice[] = [
  { value: "verifier", label: "verifier: checks the secret on incoming requests" },
  { value: "caller", label: "caller: sends it" },
  { value: "both", label: "both" },
];

export async function askEnvironment(asker: Asker, options: SecretOptions): Promise<string> {
  return asker.text({
    option: "--environment",
    text: "Environment",
    given: options.environment,
    fallback: "production",
    check: checkedBy(environmentName),
  });
}

export async function askSecret(asker: Asker, options: SecretOptions): Promise<SecretAnswers> {
  const name = await asker.text({
    option: "--secret",
    text: "First secret",
    given: options.secret,
    fallback: "INTERNAL_AUTH_SECRET",
    check: checkedBy(secretName),
  });
  const value = await asker.choice(
    { option: "--value", text: `Where does ${name} come from?`, given: options.value, fallback: "import" },
    VALUES,
  );
  return { name, value: value === "generate" ? "generate" : "import" };
}

/** `both` promises least about an application that nobody asked: rotations treat it as either. */
export async function askRole(
  asker: Asker,
  target: string,
  { option, given }: { readonly option: string; readonly given?: string | undefined },
): Promise<Role> {
  const chosen = await asker.choice(
    { option, text: `What does ${target} do with the secret?`, given, fallback: "both" },
    ROLES,
  );
  return chosen === "verifier" || chosen === "caller" ? chosen : "both";
}
