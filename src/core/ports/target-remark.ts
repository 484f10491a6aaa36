import type { ErrorCode } from "../errors.ts";

/** What a kind says of a valid configuration when it is planned. */
export interface TargetRemark {
  /** Below the target's name. */
  readonly path: readonly string[];
  /** With it nothing is applied; without it only said. */
  readonly code?: ErrorCode;
  readonly message: string;
  readonly remedy: string;
}
