/** The operator's operations on agents. What agents themselves say and hear is in `agent/`. */
import { z } from "zod";
import { report } from "./agent/messages.ts";
import { programOffer } from "./agent/program.ts";
import { operation } from "./api-operation.ts";
import { id, instant, name } from "./api-parts.ts";

const DAY_MS = 86_400_000;

/** What people look at in an agent's report: what its host does not allow, what it met, and its units. */
export const agentTold = z.object({
  refused: report.shape.refused.default([]),
  incidents: report.shape.incidents.default([]),
  units: report.shape.units.default([]),
});

const agent = z.object({
  id: z.string(),
  target: z.string(),
  environment: z.string(),
  state: z.enum(["pending", "active", "revoked", "expired"]),
  shortLived: z.boolean(),
  /** What it says of itself; empty before it has said anything. */
  hostname: z.string(),
  platform: z.string(),
  release: z.string(),
  /** The signing key's JWK thumbprint, as the machine itself shows it. */
  keyFingerprint: z.string(),
  /** Address of the request that began its enrolment, as the listener saw it; null: not known. */
  enrolledFrom: z.string().nullable(),
  /** When its enrolment was begun. */
  createdAt: instant,
  /** Until when it may confirm; null: it has, or has ended. */
  confirmUntil: instant.nullable(),
  activatedAt: instant.nullable(),
  endedAt: instant.nullable(),
  lastSeenAt: instant.nullable(),
  reportedGeneration: z.int().nullable(),
  reportedAt: instant.nullable(),
  /** Of its last report. */
  ...agentTold.shape,
});
export type AgentView = z.output<typeof agent>;

/** Of an agent, what an invitation names. */
const named = agent.pick({
  id: true,
  target: true,
  state: true,
  hostname: true,
  keyFingerprint: true,
  enrolledFrom: true,
  createdAt: true,
  confirmUntil: true,
});
export type NamedAgent = z.output<typeof named>;

const received = z.object({
  secret: z.string(),
  environment: z.string(),
  version: z.int(),
  firstAt: instant,
});

const revoked = z.object({
  target: z.string(),
  environment: z.string(),
  agents: z.array(z.object({ id: z.string(), received: z.array(received) })),
});
export type RevokedAgents = z.output<typeof revoked>;

const atTarget = z.strictObject({ environment: name, name });

export const AGENT_OPERATIONS = {
  listAgents: operation({
    method: "GET",
    path: "/agents",
    summary: "The agents, how far they are, and what they could not do.",
    permission: "status.read",
    query: z.strictObject({ environment: name.exactOptional() }),
    answer: z.object({ agents: z.array(agent) }),
  }),
  inviteAgent: operation({
    method: "POST",
    path: "/targets/:environment/:name/agent/invite",
    summary: "A code by which a machine becomes this target's agent, shown once.",
    permission: "agent.manage",
    params: atTarget,
    body: z.strictObject({
      /** For containers: the code serves many short-lived identities until it expires. */
      reusable: z.boolean().default(false),
      /** The target's active agent is revoked once whoever shows the code has confirmed; needed where there is one. */
      replace: z.boolean().default(false),
      /** Left out: 15 minutes; a code that serves once lives no longer. */
      expiresInMs: z
        .int()
        .min(60_000)
        .max(365 * DAY_MS)
        .exactOptional(),
    }),
    answer: z.object({
      code: z.string(),
      target: z.string(),
      environment: z.string(),
      reusable: z.boolean(),
      expiresAt: instant,
      /** What agents dial. */
      url: z.string(),
      /** What the server gives as the agent's program, by its digests; null: it has none. Older servers do not say. */
      program: programOffer.nullable().exactOptional(),
      /** Active until whoever shows the code has confirmed. */
      replaces: z.array(named),
      /** Had begun to enrol, as they were before this invitation ended it. */
      ended: z.array(named),
    }),
    confidential: true,
  }),
  revokeAgent: operation({
    method: "POST",
    path: "/targets/:environment/:name/agent/revoke",
    summary: "Ends the target's agents at once, and lists what they ever received. Cannot recall it.",
    permission: "agent.manage",
    params: atTarget,
    body: z.strictObject({
      /** Left out: all of the target's. */
      agentId: id.exactOptional(),
    }),
    answer: revoked,
  }),
};
