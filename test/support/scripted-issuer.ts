/** An issuer that misbehaves on command and counts: what it was asked with, and whether anything was used twice. */
import { LockstepError } from "../../src/core/errors.ts";
import type { Issued, IssueRequest, Issuer } from "../../src/core/ports/issuer.ts";
import { SecretValue } from "../../src/core/secret-value.ts";

export class ScriptedProvider {
  /** Refresh tokens in the order in which they were presented. */
  readonly used: string[] = [];
  readonly tokens: string[] = [];
  lifeMs = 3_600_000;
  /** What to throw instead of answering. */
  failure: LockstepError | null = null;
  /** Runs while the request is under way. */
  during: () => Promise<void> = async () => {};
  /** Gives a new refresh token with each answer, and takes each once. */
  rotates = true;
  next: (() => Partial<Issued>) | null = null;
  /** Runs after a new refresh token was kept. */
  afterKept: () => Promise<void> = async () => {};
}

/** Of kind `http`, so that configurations may name it; with `refresh` in its config it uses up that secret. */
export function scriptedIssuer(provider: ScriptedProvider): Issuer {
  const refreshOf = (config: { readonly [key: string]: unknown }) =>
    typeof config["refresh"] === "string" ? config["refresh"] : null;
  return {
    kind: "http",
    inputs: (config) => [refreshOf(config)].filter((name) => name !== null),
    origin: () => "https://issuer.example.com",
    perMinute: ({ perMinute }) => (typeof perMinute === "number" ? perMinute : Number.POSITIVE_INFINITY),
    singleUse: refreshOf,
    async issue({ config, inputs, keep }: IssueRequest): Promise<Issued> {
      const name = refreshOf(config);
      const refresh = name === null ? null : (inputs.get(name)?.versions[0]?.value.reveal() ?? "");
      await provider.during();
      if (provider.failure !== null) throw provider.failure;
      if (refresh !== null) provider.used.push(refresh);
      const token = `canary-token-${provider.tokens.length + 1}`;
      provider.tokens.push(token);
      if (refresh !== null && provider.rotates) {
        await keep(SecretValue.of(`canary-refresh-${provider.tokens.length + 1}`));
        await provider.afterKept();
      }
      return {
        value: SecretValue.of(token),
        life: { kind: "for", ms: provider.lifeMs },
        ...provider.next?.(),
      };
    },
  };
}

export function unavailable(): LockstepError {
  return new LockstepError("ISSUER_UNAVAILABLE", "Cannot get a token: it does not answer.");
}
