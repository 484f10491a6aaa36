/**
 * What can be made to go wrong. Every fault names what it matches and how often; the rest of a request or a
 * deployment is unaffected. The schemas are the contract of the control endpoint too.
 */
import { z } from "zod";

const matching = {
  /** How many matches it spoils; "always": until cleared. Default 1. */
  times: z.union([z.int().positive(), z.literal("always")]).optional(),
  /** Matches that pass unharmed before the first one is spoiled. */
  skip: z.int().nonnegative().optional(),
  /** Forgotten after this long (ms of the simulator's clock). */
  forMs: z.number().nonnegative().optional(),
  /** A service's id or name. For requests: one of those that the request names. */
  service: z.string().optional(),
};

const requestMatching = {
  ...matching,
  /** Names of root fields (`variableCollectionUpsert`), or the document's operation name. Default: every request. */
  operation: z.union([z.string(), z.array(z.string())]).optional(),
};

const REQUEST_FAULT = z.discriminatedUnion("kind", [
  /** 429 before anything is done; `Retry-After` only when told. */
  z.strictObject({
    kind: z.literal("rate-limited"),
    ...requestMatching,
    retryAfterSeconds: z.number().nonnegative().optional(),
    body: z.enum(["json", "html", "empty"]).optional(),
  }),
  /** 200 with an error that speaks of throttling. */
  z.strictObject({
    kind: z.literal("graphql-rate-limited"),
    ...requestMatching,
    message: z.string().optional(),
  }),
  /** 504 from the edge. `late`: it lands `lateMs` after the answer, or when it is released. */
  z.strictObject({
    kind: z.literal("gateway-timeout"),
    ...requestMatching,
    applied: z.enum(["yes", "no", "late"]),
    lateMs: z.number().nonnegative().optional(),
    /** The edge waits this long before it answers. Default 0. */
    afterMs: z.number().nonnegative().optional(),
  }),
  /** Held for `holdMs`, or until released: the finished answer, or the request before it is executed. */
  z.strictObject({
    kind: z.literal("slow"),
    ...requestMatching,
    hold: z.enum(["answer", "request"]).optional(),
    holdMs: z.number().nonnegative().optional(),
  }),
  /** The edge's own page instead of an answer; nothing is done. */
  z.strictObject({ kind: z.literal("html-page"), ...requestMatching, status: z.int().min(200).max(599) }),
  /** 5xx of the platform itself, without a usable body; nothing is done unless told. */
  z.strictObject({
    kind: z.literal("http-error"),
    ...requestMatching,
    status: z.int().min(400).max(599),
    applied: z.boolean().optional(),
  }),
  /** 200 with an error and no data; nothing is done unless told. */
  z.strictObject({
    kind: z.literal("graphql-error"),
    ...requestMatching,
    message: z.string(),
    code: z.string().optional(),
    applied: z.boolean().optional(),
  }),
  /** 200 with an error, and null at these paths (`api.X`, dots, array positions as numbers); default: the last root field. */
  z.strictObject({
    kind: z.literal("partial-data"),
    ...requestMatching,
    paths: z.array(z.string()).optional(),
    message: z.string().optional(),
  }),
  /** The connection ends without an answer. `late`: as with `gateway-timeout`. */
  z.strictObject({
    kind: z.literal("dropped-connection"),
    ...requestMatching,
    applied: z.union([z.boolean(), z.literal("late")]),
    lateMs: z.number().nonnegative().optional(),
  }),
  /** Variable reads answer the state before the last writes. */
  z.strictObject({
    kind: z.literal("stale-read"),
    ...requestMatching,
    writesBehind: z.int().positive().optional(),
  }),
  /** Variable writes and deployments are acknowledged, and nothing happens. */
  z.strictObject({ kind: z.literal("ignored-write"), ...requestMatching }),
]);

const DEPLOYMENT_FAULT = z.discriminatedUnion("kind", [
  /** FAILED at the build (no snapshot) or at the start, for example its health check. */
  z.strictObject({
    kind: z.literal("deployment-fails"),
    ...matching,
    stage: z.enum(["build", "deploy"]).optional(),
  }),
  /** CRASHED this long after SUCCESS. Default at once. */
  z.strictObject({
    kind: z.literal("deployment-crashes"),
    ...matching,
    afterMs: z.number().nonnegative().optional(),
  }),
  /** Stays in that state until released. Default BUILDING. */
  z.strictObject({
    kind: z.literal("deployment-hangs"),
    ...matching,
    at: z.enum(["INITIALIZING", "BUILDING", "DEPLOYING"]).optional(),
  }),
  z.strictObject({ kind: z.literal("deployment-skipped"), ...matching }),
  z.strictObject({ kind: z.literal("deployment-needs-approval"), ...matching }),
]);

export const FAULT = z.union([REQUEST_FAULT, DEPLOYMENT_FAULT]);

export type RequestFault = z.infer<typeof REQUEST_FAULT>;
export type DeploymentAilment = z.infer<typeof DEPLOYMENT_FAULT>;
export type Fault = RequestFault | DeploymentAilment;

export function isDeploymentAilment(fault: Fault): fault is DeploymentAilment {
  return fault.kind.startsWith("deployment-");
}
