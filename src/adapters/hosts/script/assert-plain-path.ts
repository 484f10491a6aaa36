import { LockstepError } from "../../../core/errors.ts";
import { isPlainPath } from "../../../lib/plain-path.ts";

export function assertPlainPath(action: string, path: string): void {
  if (isPlainPath(path)) return;
  throw new LockstepError("INPUT_INVALID", `Cannot ${action}: the path must be absolute or begin with ~/.`);
}
