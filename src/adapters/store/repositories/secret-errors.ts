/** What a change of a secret or its versions is refused with, in words. */
import { LockstepError } from "../../../core/errors.ts";
import type { VersionState } from "../../../core/secret.ts";

export function secretMissing(action: string, secretId: string): LockstepError {
  return new LockstepError("NOT_FOUND", `Cannot ${action}: there is no such secret.`, {
    details: { secretId },
  });
}

export function versionMissing(action: string, secretId: string, version: number): LockstepError {
  return new LockstepError(
    "NOT_FOUND",
    `Cannot ${action}: there is no version ${version}, or it is destroyed.`,
    {
      details: { secretId, version },
    },
  );
}

export function stateRefuses(
  secretId: string,
  version: number,
  to: VersionState,
  because: string,
): LockstepError {
  return new LockstepError("VERSION_STATE", `Cannot make version ${version} ${to}: ${because}.`, {
    details: { secretId, version, to },
  });
}
