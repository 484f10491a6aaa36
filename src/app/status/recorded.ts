/** The rows that most facts are made of, read once. */
import type { JudgementScope } from "../../core/store/judgements.ts";
import type { BindingRow, SecretRow, TargetRow } from "../../core/store/views.ts";
import type { AppContext } from "../base/context.ts";

export interface Recorded {
  readonly secrets: readonly SecretRow[];
  readonly bindings: readonly BindingRow[];
  /** Where they are bound, and what else belongs to the environment. */
  readonly targets: readonly TargetRow[];
  readonly severalEnvironments: boolean;
}

/** What is kept of these secrets and targets, and of the targets of these secrets. */
export async function readRecordedOf(
  context: AppContext,
  { secretIds, targetIds, bindingIds }: JudgementScope,
): Promise<Recorded> {
  const { views, secrets: repo } = context.store.read;
  const bindings = await views.bindingsWithin({ secretIds, targetIds, bindingIds });
  const boundSecrets = bindings.map(({ secretId }) => secretId);
  const boundTargets = bindings.map(({ targetId }) => targetId);
  return {
    secrets: await views.secrets({ secretIds: [...new Set([...secretIds, ...boundSecrets])] }),
    bindings,
    targets: await views.targets({ targetIds: [...new Set([...targetIds, ...boundTargets])] }),
    severalEnvironments: (await repo.listEnvironments()).length > 1,
  };
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
