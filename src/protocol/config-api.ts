/**
 * Requests and answers around the configuration: `plan`, `apply` and `import`. Answers hold names, states and counts;
 * never a value. Requests hold credentials of targets, so their bodies are never logged or kept.
 */
import { z } from "zod";
import { configSchema } from "./config.ts";

const planFields = {
  config: configSchema,
  /** Secrets (`NAME`) or single places (`NAME@TARGET`) whose foreign values may be overwritten. */
  takeOver: z.union([z.literal("all"), z.array(z.string().min(1).max(256)).max(10_000)]).exactOptional(),
  prune: z.boolean().exactOptional(),
  allowShrink: z.boolean().exactOptional(),
  duringRollout: z.boolean().exactOptional(),
  /** Places at destinations that were never applied are looked at too, with what is given for them. */
  askNew: z.boolean().exactOptional(),
};

export const planRequestSchema = z.strictObject(planFields);

/** Whose destinations are asked after; its credentials stay where they are. */
export const destinationsRequestSchema = z.strictObject({ config: configSchema });

export const applyRequestSchema = z.strictObject({
  ...planFields,
  /** The digest of the plan that a person agreed to. */
  expectedPlanDigest: z.string().max(64).exactOptional(),
});

export const importRequestSchema = z.strictObject({
  environment: z.string().min(1).max(64),
  name: z.string().min(1).max(128),
  from: z.discriminatedUnion("by", [
    z.strictObject({ by: z.literal("agreement") }),
    z.strictObject({ by: z.literal("majority") }),
    z.strictObject({
      by: z.literal("target"),
      target: z.string().min(1).max(64),
      environment: z.string().min(1).max(64),
    }),
  ]),
  /** Also a value whose ends nobody sees as they are: a byte order mark, a carriage return. */
  exact: z.boolean().exactOptional(),
});

const path = z.array(z.union([z.string(), z.number()])).readonly();
const role = z.enum(["verifier", "caller", "both"]);
const problem = z.object({ path, message: z.string(), remedy: z.string() });

const placeState = z.discriminatedUnion("state", [
  z.object({ state: z.literal("equal"), version: z.int() }),
  z.object({
    state: z.literal("would-set"),
    now: z.enum(["absent", "older", "foreign", "reference", "unreadable"]),
    why: z.string().optional(),
  }),
  z.object({ state: z.literal("foreign") }),
  z.object({ state: z.literal("reference") }),
  z.object({ state: z.literal("unreadable"), reason: z.string() }),
  z.object({ state: z.literal("drifted"), now: z.enum(["absent", "older", "foreign", "reference"]) }),
  z.object({ state: z.literal("absent"), why: z.string().optional() }),
  z.object({ state: z.literal("value"), group: z.string() }),
  z.object({ state: z.literal("cannot-hold"), code: z.string(), reason: z.string(), hint: z.string() }),
  z.object({ state: z.literal("not-asked") }),
  z.object({ state: z.literal("cannot-tell"), code: z.string(), reason: z.string(), hint: z.string() }),
]);

const plannedPlace = z.object({
  environment: z.string(),
  secret: z.string(),
  targetEnvironment: z.string(),
  target: z.string(),
  placement: z.string(),
  key: z.string(),
  role,
  wantedVersion: z.int().nullable(),
  place: placeState,
  overwritten: z.boolean(),
  path,
});

const destination = z.object({
  subject: z.enum(["target", "probe", "usage", "issuer", "channel"]),
  change: z.enum(["new", "changed"]),
  environment: z.string(),
  /** The target's, channel's or secret's. */
  name: z.string(),
  /** Kind, origin and pin, or a URL. Null: it stands in the credential itself, which was not sent. */
  address: z.string().nullable(),
  /** Where the configuration says so. */
  path,
});

/** What is known of a configuration's destinations, for whoever holds the credentials. */
export const destinationsAnswerSchema = z.object({
  known: z
    .array(
      z.object({
        path,
        /** The credential is an address itself, and only within this origin what was applied. */
        origin: z.string().nullable(),
      }),
    )
    .readonly(),
});

export const planAnswerSchema = z.object({
  hasChanges: z.boolean(),
  changes: z
    .array(
      z.object({
        subject: z.enum(["environment", "secret", "target", "binding", "key", "channel"]),
        action: z.enum(["create", "change", "remove", "delete", "take-over"]),
        environment: z.string(),
        name: z.string(),
        target: z.string().exactOptional(),
        key: z.string().exactOptional(),
        changed: z.array(z.string()).readonly().exactOptional(),
        text: z.string(),
        path,
      }),
    )
    .readonly(),
  places: z.array(plannedPlace).readonly(),
  adoption: z
    .array(
      z.object({
        environment: z.string(),
        secret: z.string(),
        groups: z
          .array(
            z.object({
              label: z.string(),
              places: z.array(z.object({ target: z.string(), key: z.string(), role })).readonly(),
            }),
          )
          .readonly(),
        next: z.string(),
      }),
    )
    .readonly(),
  destinations: z.array(destination).readonly(),
  leftInPlace: z
    .array(z.object({ environment: z.string(), secret: z.string(), target: z.string(), key: z.string() }))
    .readonly(),
  problems: z.array(problem.extend({ code: z.string() })).readonly(),
  warnings: z.array(problem).readonly(),
  digest: z.string(),
});

export const applyAnswerSchema = z.object({
  plan: planAnswerSchema,
  reconciling: z.int(),
  kept: z.array(plannedPlace).readonly(),
});

const boundPlace = z.object({
  target: z.string(),
  environment: z.string(),
  key: z.string(),
  placement: z.string(),
  role,
});

export const importAnswerSchema = z.object({
  secretId: z.string(),
  version: z.int(),
  rolloutId: z.string().nullable(),
  adopted: z.array(boundPlace).readonly(),
  corrected: z.array(boundPlace).readonly(),
  unknown: z.array(z.object({ place: boundPlace, reason: z.string() })).readonly(),
});
