/** The secrets that an issuer works with, opened as late as they are needed. */
import { LockstepError } from "../../core/errors.ts";
import type { IssuerInput } from "../../core/ports/issuer.ts";
import type { VersionName } from "../../core/secret.ts";
import { PLAIN_FIELD, type VersionState } from "../../core/secret.ts";
import type { Repositories } from "../../core/store/store.ts";
import type { Fields } from "../values/secret-fields.ts";

/** The current one first: it is what counts unless an issuer knows better. */
const ORDER: readonly VersionState[] = ["current", "staged", "retiring", "retired"];
const MAX_VERSIONS = 5;

/** Throws ISSUER_REFUSED for a secret that is not there or has no value. */
export async function openInputs(
  tx: Repositories,
  open: (versions: readonly VersionName[]) => Promise<readonly Fields[]> | readonly Fields[],
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
    const opened = await open(usable);
    const versions = usable.flatMap(({ version, createdAt }, index) => {
      const value = opened[index]?.get(PLAIN_FIELD);
      return value === undefined ? [] : [{ version, value, madeAtMs: createdAt.getTime() }];
    });
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
