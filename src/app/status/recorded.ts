/** The rows that most facts are made of, read once. */
import type { BindingRow, SecretRow, TargetRow } from "../../core/store/views.ts";
import type { AppContext } from "../base/context.ts";

export interface Recorded {
  readonly secrets: readonly SecretRow[];
  readonly bindings: readonly BindingRow[];
  /** Where they are bound, and what else belongs to the environment. */
  readonly targets: readonly TargetRow[];
  readonly severalEnvironments: boolean;
}

export async function readRecorded(context: AppContext, environment: string | undefined): Promise<Recorded> {
  const { views, secrets: repo } = context.store.read;
  const filter = environment === undefined ? {} : { environment };
  // One after the other, on one connection: every worker reads this every few seconds.
  const secrets = await views.secrets(filter);
  const bindings = await views.bindings(filter);
  const targets = await views.targets({});
  const environments = await repo.listEnvironments();
  const bound = new Set(bindings.map(({ targetId }) => targetId));
  return {
    secrets,
    bindings,
    targets: targets.filter(
      (target) => target.environment === environment || environment === undefined || bound.has(target.id),
    ),
    severalEnvironments: environments.length > 1,
  };
}
