/**
 * Operations of the first run: looking around and trying before anything is configured. A credential in a body is used
 * for that request alone: never stored, never logged, never answered. They make the server connect to an address that
 * the caller names, so they need the right to configure.
 */
import { z } from "zod";
import { operation } from "./api-operation.ts";
import { targetAbilities, targetCheck } from "./api-store.ts";

/** Left to the place's own rules; here only what no header can carry is refused, without being quoted. */
const access = {
  token: z.string().regex(/^[\x21-\x7e]{8,512}$/),
  endpoint: z.string().max(2048).exactOptional(),
};

const found = z.object({ id: z.string(), name: z.string() });
export type FoundName = z.output<typeof found>;

const projects = z.object({
  tokenKind: z.enum(["project", "account"]),
  projects: z
    .array(found.extend({ environments: z.array(found.extend({ accessible: z.boolean() })).readonly() }))
    .readonly(),
});
export type FoundProjects = z.output<typeof projects>;

const tried = z.object({
  kind: z.string(),
  ok: z.boolean(),
  checks: z.array(targetCheck).readonly(),
  capabilities: targetAbilities,
});
export type TriedTarget = z.output<typeof tried>;

export const FIRST_RUN_OPERATIONS = {
  listTargetKinds: operation({
    method: "GET",
    path: "/target-kinds",
    summary: "The kinds of targets that this release serves.",
    permission: "config.plan",
    answer: z.object({ kinds: z.array(z.string()).readonly() }),
  }),
  findRailwayProjects: operation({
    method: "POST",
    path: "/railway/projects",
    summary:
      "Projects and environments that a Railway token reaches. Names and ids alone; the token is not kept.",
    permission: "config.apply",
    body: z.strictObject(access),
    answer: projects,
  }),
  findRailwayServices: operation({
    method: "POST",
    path: "/railway/services",
    summary: "The services of one environment. Names and ids alone; the token is not kept.",
    permission: "config.apply",
    body: z.strictObject({ ...access, environment: z.string().regex(/^[A-Za-z0-9-]{1,64}$/) }),
    answer: z.object({ services: z.array(found).readonly() }),
  }),
  tryTarget: operation({
    method: "POST",
    path: "/try-target",
    summary:
      "Credential, address and rights of a target that is not applied yet. Changes nothing; keeps nothing.",
    permission: "config.apply",
    body: z.strictObject({
      /** What would stand below the target's name in lockstep.yaml, references resolved. */
      target: z.record(z.string(), z.json()),
    }),
    answer: tried,
  }),
};
