/**
 * `lockstep/verify`: for services that check a shared secret. During a rotation the place holds two values, and this
 * accepts either; it counts who uses which, so that the old one can be retired when nobody does.
 *
 * Brings no dependency along. Does not know Lockstep's server: two variables are all that they share.
 */
export type { FileSource } from "./source/file-source.ts";
export type { FunctionSource, SourceOptions } from "./source/source.ts";
export { SourceError, type SourceErrorCode } from "./source/source-error.ts";
export type { Slot } from "./source/values.ts";
export {
  expressVerifier,
  type FastifyReplyLike,
  type FastifyRequestLike,
  fastifyVerifier,
  type HonoContextLike,
  honoVerifier,
  type MiddlewareOptions,
  type Verified,
} from "./verify/middleware.ts";
export { type UsageEndpointOptions, usageEndpoint } from "./verify/usage-endpoint.ts";
export { type UsageFile, type UsageFileOptions, writeUsageFile } from "./verify/usage-file.ts";
export type { GoneUsage, SlotUsage, UsageReport, UseCount, ValueUsage } from "./verify/usage-report.ts";
export {
  createVerifier,
  type Use,
  type Verdict,
  type Verifier,
  type VerifierOptions,
} from "./verify/verifier.ts";
