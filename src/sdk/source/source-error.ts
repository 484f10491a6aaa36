/** What can be wrong with a source. Messages name files and variables, never what stands in them. */

/**
 * - `SOURCE_UNREADABLE`: missing, not permitted, not a file; or the function threw.
 * - `SOURCE_INVALID`: read, and not in its format.
 * - `SOURCE_INCOMPLETE`: in its format, without the primary value.
 */
export type SourceErrorCode = "SOURCE_UNREADABLE" | "SOURCE_INVALID" | "SOURCE_INCOMPLETE";

export class SourceError extends Error {
  override readonly name = "SourceError";
  readonly code: SourceErrorCode;

  constructor(code: SourceErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export function failed(code: SourceErrorCode, state: string): SourceError {
  return new SourceError(code, `Cannot read the secret anew: ${state}; the last good values stay`);
}

/** `null`: all is well again. */
export type Tell = (error: SourceError | null) => void;
