/** What a caller refuses. Messages name origins, variables and slots, never values. */

/**
 * - `CALLER_OPTIONS`: the options cannot be meant so.
 * - `CALLER_ORIGIN`: the request goes elsewhere than to the configured origins; nothing was sent.
 * - `CALLER_NO_VALUE`: neither slot holds a value; nothing was sent.
 * - `CALLER_UNSENDABLE`: a slot's value cannot travel in a header as it is; it was not sent.
 * - `CALLER_REQUEST`: the request failed with an error that held the value, and is therefore not passed on.
 */
export type CallerErrorCode =
  | "CALLER_OPTIONS"
  | "CALLER_ORIGIN"
  | "CALLER_NO_VALUE"
  | "CALLER_UNSENDABLE"
  | "CALLER_REQUEST";

export class CallerError extends Error {
  override readonly name = "CallerError";
  readonly code: CallerErrorCode;

  constructor(code: CallerErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
