/** What lockstep.yaml says of a Railway target: one service of one environment, or its shared scope. Pure. */
import { z } from "zod";
import { LockstepError } from "../../../core/errors.ts";
import type { JsonObject } from "../../../core/json.ts";
import { parseConfig } from "../../../core/plan/parse-target-config.ts";
import type { Exposure } from "../../../core/ports/target.ts";
import { bareHost, isLoopbackHost, isUnreachableAddress } from "../../../lib/addresses.ts";
import { hasReference } from "./variables/references.ts";

export const DEFAULT_ENDPOINT = "https://backboard.railway.com/graphql/v2";

const id = z
  .string()
  .regex(/^[A-Za-z0-9-]{1,64}$/, "is not a Railway id; copy the UUID from the dashboard (Cmd-K, Copy … ID)");

const endpoint = z
  .string()
  .refine(isSafeEndpoint, "must be https, or http on loopback, without user, query or #");

const token = z.string().regex(/^[\x21-\x7e]{8,512}$/, "is not a token");

const railwaySchema = z.strictObject({
  railway: z
    .strictObject({
      project: id,
      environment: id,
      /** Absent only with `shared: true`: a forgotten service must never become an environment-wide write. */
      service: id.optional(),
      shared: z.literal(true).optional(),
      token: token.optional(),
      /** Left out, it is found out with one request more per process. */
      tokenKind: z.enum(["project", "account"]).optional(),
      /** Overrides the URL, for example for the simulator. */
      endpoint: endpoint.optional(),
      /** Exposures that are meant: doctor is silent about them. */
      mayReach: z.array(z.enum(["builds", "pull-requests"])).optional(),
      /**
       * Services that take a variable from this one (`${{api.NAME}}`) are deployed with it. Otherwise each keeps the old
       * value until its own next deployment, and a rotation waits for that.
       */
      redeployReferring: z.boolean().optional(),
      /** How long an answer is waited for, in ms; default 90,000. Writes have been seen to need more than 60 s. */
      requestTimeoutMs: z.int().min(100).max(120_000).optional(),
    })
    .refine(({ service, redeployReferring }) => service !== undefined || redeployReferring === undefined, {
      path: ["redeployReferring"],
      message: "goes with a service; what takes from the shared scope is always deployed with it",
    })
    .refine((railway) => (railway.service === undefined) === (railway.shared === true), {
      path: ["service"],
      message: "name either a service or `shared: true`",
    }),
});

/** Workspace tokens count as account tokens: the same header, and they reach less. */
export type TokenKind = "project" | "account";

export interface RailwayConfig {
  readonly project: string;
  readonly environment: string;
  /** Null: the environment's shared scope. */
  readonly service: string | null;
  readonly endpoint: string;
  /** Null: found out. */
  readonly tokenKind: TokenKind | null;
  readonly requestTimeoutMs: number;
  /** Absent: nobody. */
  readonly mayReach?: readonly Exposure["to"][];
  /** Absent: no. */
  readonly redeployReferring?: true;
}

/** Writes have been seen to take more than a minute under load and to be applied after the edge's 504. */
const DEFAULT_REQUEST_TIMEOUT_MS = 90_000;

export function parseRailway(raw: unknown): {
  readonly config: JsonObject;
  readonly credentials: JsonObject | null;
} {
  const {
    project,
    environment,
    service = null,
    token,
    tokenKind = null,
    endpoint: url = DEFAULT_ENDPOINT,
    requestTimeoutMs = DEFAULT_REQUEST_TIMEOUT_MS,
    mayReach = [],
    redeployReferring = false,
  } = parseConfig(railwaySchema, raw).railway;
  return {
    config: {
      project,
      environment,
      service,
      endpoint: url,
      tokenKind,
      requestTimeoutMs,
      ...(mayReach.length === 0 ? {} : { mayReach }),
      ...(redeployReferring ? { redeployReferring } : {}),
    },
    credentials: token === undefined ? null : { token },
  };
}

/** What was stored came from `parseRailway`. */
export function readConfig(config: JsonObject): RailwayConfig {
  return config as unknown as RailwayConfig;
}

/** The canonical name of the scope that is written to: one service's variables, or the shared ones. */
export function placeOf({
  project,
  environment,
  service,
  endpoint,
}: Pick<RailwayConfig, "project" | "environment" | "service" | "endpoint">): string {
  return `railway:${new URL(endpoint).host}/${project}/${environment}/${service ?? "shared"}`;
}

export function isSafeEndpoint(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") return false;
  // Metadata services live there, in whatever spelling; a token must not be sent to one.
  if (isUnreachableAddress(bareHost(url.hostname))) return false;
  const loopback = isLoopbackHost(url.hostname);
  return url.protocol === "https:" || (url.protocol === "http:" && loopback);
}

/** The placement of shared variables: a service may have its own of the same name. */
export const SHARED_PLACEMENT = "shared";

/** A variable that carries the revision marker; never a secret. */
export const REVISION_KEY = "LOCKSTEP_REV";

/** Railway's own names that a user may set; all others are provided (docs, variables reference). */
const SETTABLE = new Set([
  "RAILWAY_DEPLOYMENT_OVERLAP_SECONDS",
  "RAILWAY_DEPLOYMENT_DRAINING_SECONDS",
  "RAILWAY_HEALTHCHECK_TIMEOUT_SEC",
  "RAILWAY_DOCKERFILE_PATH",
  "RAILWAY_RUN_UID",
  "RAILWAY_SHM_SIZE_BYTES",
]);

export function assertKey(key: string): void {
  const refuse = (why: string): never => {
    throw new LockstepError("KEY_INVALID", `Railway cannot hold the key "${key}": ${why}.`);
  };
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,254}$/.test(key)) refuse("names are letters, digits and _");
  if (key.startsWith("RAILWAY_") && !SETTABLE.has(key))
    refuse("Railway itself provides names that begin with RAILWAY_");
  // JSON parsers drop it, so it could not be read back.
  if (key === "__proto__") refuse("it is a name that programs keep for themselves");
  if (key === REVISION_KEY) refuse("it is Lockstep's own revision marker");
}

export function assertValue(key: string, value: string): void {
  const refuse = (why: string): never => {
    throw new LockstepError("VALUE_INVALID", `Railway cannot hold the value for "${key}": ${why}.`);
  };
  if (hasReference(value)) refuse("it contains the beginning of a reference, ${{");
  // No process can be started with it in its environment.
  if (value.includes("\0")) refuse("it contains a NUL character");
  if (/\p{Surrogate}/u.test(value)) refuse("it is not well-formed Unicode");
}
