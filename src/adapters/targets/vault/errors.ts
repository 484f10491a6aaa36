/** Failures of a Vault server in the catalogue's words: its verdict and our own reason, no text of the server's. */
import { type ErrorCode, LockstepError } from "../../../core/errors.ts";
import { VaultFailure, type VaultVerdict } from "../../vault/failure.ts";
import { policyHint, type Right } from "../../vault/rights.ts";
import type { VaultConfig } from "./config.ts";

/** What was asked when it failed. */
export interface Asking {
  /** Stands behind "Cannot …". */
  readonly doing: string;
  readonly target: string;
  readonly config: Pick<VaultConfig, "mount" | "path" | "namespace" | "login">;
  /** What a policy must give for it. */
  readonly rights: readonly Right[];
  /** Something was, or may have been, sent that changes something. */
  readonly write?: boolean;
}

const RATE_WAIT_MS = 1_000;
const BEHIND_WAIT_MS = 2_000;

export function toTargetError(error: unknown, asking: Asking): unknown {
  if (!(error instanceof VaultFailure)) return error;
  const { code, hint, waitMs } = meaningOf(error.verdict, asking);
  const { doing, target } = asking;
  const retryAfterMs = error.retryAfterMs ?? waitMs;
  return new LockstepError(code, `Cannot ${doing} at target "${target}": ${error.message}.`, {
    ...(hint === undefined ? {} : { hint }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    details: { target, operation: doing, status: error.status },
  });
}

/** Whatever `work` throws leaves as an error of ours. */
export async function asTarget<T>(asking: Asking, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toTargetError(error, asking);
  }
}

interface Meaning {
  readonly code: ErrorCode;
  readonly hint?: string;
  readonly waitMs?: number;
}

function meaningOf(verdict: VaultVerdict, { config, rights, write = false }: Asking): Meaning {
  const { mount, login, namespace } = config;
  switch (verdict) {
    case "absent":
      return { code: "TARGET_MISSING", hint: "Check `mount`, `path` and `namespace` in lockstep.yaml." };
    case "mount":
      return {
        code: "TARGET_MISSING",
        hint: `Let \`mount\` name a KV engine of version 2${namespace === null ? "" : ` of the namespace ${namespace}`}; ${JSON.stringify(mount)} is none. \`vault secrets list -detailed\` shows them, and \`vault kv enable-versioning\` makes version 2 of 1.`,
      };
    case "namespace":
      return {
        code: "TARGET_MISSING",
        hint: "`vault namespace list` shows those that there are. Vault without Enterprise has none: take `namespace` out there.",
      };
    case "token":
      return {
        code: "TARGET_CREDENTIAL_REJECTED",
        hint:
          login.kind === "token"
            ? "Give the target a token that lives, and run `lockstep apply`. An `appRole` logs in anew by itself."
            : "Look at the AppRole's policies and at the limits of its tokens.",
      };
    case "login":
      return {
        code: "TARGET_CREDENTIAL_REJECTED",
        hint:
          login.kind === "token"
            ? "Give the target a valid token, and run `lockstep apply`."
            : `Give the target a new secret id of its role (auth method ${login.mount}), and run \`lockstep apply\`.`,
      };
    case "permission":
      return { code: "TARGET_PERMISSION", hint: policyHint(rights, config) };
    case "conflict":
      return { code: "WRITE_CONFLICT" };
    case "invalid":
      return write
        ? { code: "VALUE_INVALID", hint: "Spread the keys over several paths, or use shorter values." }
        : { code: "TARGET_REFUSED", hint: "Check `mount` and `path` in lockstep.yaml." };
    case "rate-limited":
      return { code: "TARGET_RATE_LIMITED", waitMs: RATE_WAIT_MS };
    case "later":
      return { code: "TARGET_UNAVAILABLE" };
    case "behind":
      return { code: "TARGET_UNAVAILABLE", waitMs: BEHIND_WAIT_MS };
    case "outcome-unknown":
      return { code: "TARGET_OUTCOME_UNKNOWN" };
    default:
      return { code: "TARGET_PROTOCOL", hint: "Check `address` and `ca`: something else may answer there." };
  }
}
