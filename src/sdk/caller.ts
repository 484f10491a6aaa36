/**
 * `lockstep/caller`: for services that send a shared secret. It sends the primary value, to configured origins alone,
 * and tries the fallback where that is refused.
 *
 * Brings no dependency along. Does not know Lockstep's server: two variables are all that they share.
 */
export { CallerError, type CallerErrorCode } from "./caller/caller-error.ts";
export { type Caller, type CallerOptions, createCaller } from "./caller/create-caller.ts";
export type { FileSource } from "./source/file-source.ts";
export type { FunctionSource, SourceOptions } from "./source/source.ts";
export { SourceError, type SourceErrorCode } from "./source/source-error.ts";
export type { Slot } from "./source/values.ts";
