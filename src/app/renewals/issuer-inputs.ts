/** The secrets that an issuer works with, opened as late as they are needed. */
import { LockstepError } from "../../core/errors.ts";
import type { IssuerInput } from "../../core/ports/issuer.ts";
import type { Repositories } from "../../core/ports/store/store.ts";
import { PLAIN_FIELD, type VersionState } from "../../core/secret.ts";
import type { AppContext } from "../context.ts";
import { openFields } from "../secret-fields.ts";

/** The current one first: it is what counts unless an issuer knows better. */
const ORDER: readonly VersionState[] = ["current", "staged", "retiring", "retired"];
const MAX_VERSIONS = 5;

/** Throws ISSUER_REFUSED for a secret that is not there or has no value. */
export async function openInputs(
  context: AppContext,
  tx: Repositories,
  environment: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, IssuerInput>> {
  const inputs = new Map<string, IssuerInput>();
  for (const name of names) {
    const secret = await tx.secrets.find(environment, name);
    const usable = (secret === null ? [] : await tx.secrets.versions(secret.id))
      .filter(({ state, compromisedAt }) => compromisedAt === null && ORDER.includes(state))
      .sort(
        (left, right) =>
          ORDER.indexOf(left.state) - ORDER.indexOf(right.state) || right.version - left.version,
      )
      .slice(0, MAX_VERSIONS);
    const versions: IssuerInput["versions"][number][] = [];
    for (const { version, createdAt } of usable) {
      const value =
        secret === null ? undefined : (await openFields(context, tx, secret.id, version)).get(PLAIN_FIELD);
      if (value !== undefined) versions.push({ version, value, madeAtMs: createdAt.getTime() });
    }
    if (secret === null || versions.length === 0) {
      throw new LockstepError(
        "ISSUER_REFUSED",
        `Cannot ask the issuer: it needs ${name}, which has no value.`,
        {
          hint: `Set it with \`lockstep secret set ${name}\`.`,
        },
      );
    }
    inputs.set(name, { versions });
  }
  return inputs;
}
