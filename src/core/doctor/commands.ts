/** The commands that repair: each one real, quoted by the one function, and told which environment where it matters. */
import { shellCommand } from "../../lib/shell-quote.ts";
import type { DoctorFacts, SecretFacts, TargetFacts } from "./facts.ts";

type Names = Pick<DoctorFacts, "severalEnvironments">;

export class Commands {
  readonly #names: Names;

  constructor(names: Names) {
    this.#names = names;
  }

  /** Writes again what should stand there, over what is there now. */
  heal(target: TargetFacts, secret: SecretFacts | null): string {
    return this.#of(
      target,
      "heal",
      "--target",
      target.name,
      ...(secret === null ? [] : ["--secret", secret.name]),
    );
  }

  /** A push or a restart that waits for a person: tries the same again. */
  resume(target: TargetFacts, secret: SecretFacts | null): string {
    const rollout = secret?.rollout ?? null;
    if (rollout !== null) return shellCommand(["lockstep", "rollout", "resume", rollout.id]);
    return this.heal(target, secret);
  }

  /** Says what is missing, and goes on once nothing is. */
  testThenResume(target: TargetFacts, secret: SecretFacts | null): string {
    return `${this.test(target)} && ${this.resume(target, secret)}`;
  }

  /** What is tried again by itself may be done when the line is pasted: a rollout that has ended could not be resumed. */
  testThenHeal(target: TargetFacts, secret: SecretFacts): string {
    return `${this.test(target)} && ${this.heal(target, secret)}`;
  }

  test(target: TargetFacts): string {
    return this.#of(target, "target", "test", target.name);
  }

  /** Shows the host's key, and takes it over once a person compared it. */
  trust({ sshAddress }: TargetFacts): string | null {
    if (sshAddress === null) return null;
    const { host, port } = sshAddress;
    return shellCommand([
      "lockstep",
      "target",
      "trust",
      host,
      ...(port === 22 ? [] : ["--port", String(port)]),
    ]);
  }

  apply(): string {
    return shellCommand(["lockstep", "apply"]);
  }

  takeOver(target: TargetFacts, secret: SecretFacts): string {
    return shellCommand(["lockstep", "apply", "--take-over", `${secret.name}@${target.name}`]);
  }

  setValue(secret: Pick<SecretFacts, "name" | "environment">): string {
    return this.#of(secret, "secret", "set", secret.name);
  }

  import(secret: SecretFacts, from: string | null): string {
    return this.#of(secret, "import", secret.name, ...(from === null ? [] : ["--from", from]));
  }

  /** Places that nobody has named: who holds a value and is bound to nothing. */
  discover({ environment }: SecretFacts): string {
    const where = this.#names.severalEnvironments ? ["--environment", environment] : [];
    return shellCommand(["lockstep", "discover", ...where]);
  }

  showRollout(id: string): string {
    return shellCommand(["lockstep", "rollout", "show", id]);
  }

  /** For a machine that no agent speaks for yet. */
  invite(target: TargetFacts): string {
    return this.#of(target, "agent", "invite", target.name);
  }

  /** What a person must do at a place in other hands. */
  step(target: TargetFacts): string {
    return this.#of(target, "step", "show", target.name);
  }

  agents(): string {
    return shellCommand(["lockstep", "agent", "list"]);
  }

  generate(secret: SecretFacts): string {
    return this.#of(secret, "rotate", secret.name, "--wait");
  }

  /** The next token of an issuer. */
  renew(secret: SecretFacts): string {
    return this.#of(secret, "renew", secret.name);
  }

  /** Asks for the value of another secret of the same environment. */
  setSecret(secret: SecretFacts, name: string): string {
    return this.#of(secret, "secret", "set", name);
  }

  #of({ environment }: { readonly environment: string }, ...words: readonly string[]): string {
    const where = this.#names.severalEnvironments ? ["--environment", environment] : [];
    return shellCommand(["lockstep", ...words, ...where]);
  }
}
