/** Handlers for the operator's side of agents. */

import { inviteAgent, listAgents, revokeAgent } from "../../../app/agents/enrolment/manage-agents.ts";
import { keyFingerprint } from "../../../app/targets/enrolment-turn.ts";
import { LockstepError } from "../../../core/errors.ts";
import type { AgentRecord } from "../../../core/store/agents.ts";
import { type AGENT_OPERATIONS, agentTold, type NamedAgent } from "../../../protocol/api-agents.ts";
import type { Handlers } from "../routes.ts";

const CODE_LIFE_MS = 15 * 60_000;
const REUSABLE_LIFE_MS = 24 * 60 * 60_000;

export const agentHandlers: Pick<Handlers, keyof typeof AGENT_OPERATIONS> = {
  listAgents: async ({ query }, { context }) => ({
    agents: (await listAgents(context, query)).map((agent) => ({
      ...nameOf(agent),
      environment: agent.environment,
      shortLived: agent.shortLived,
      platform: text(agent.facts["platform"]),
      release: text(agent.facts["version"]),
      activatedAt: agent.activatedAt?.toISOString() ?? null,
      endedAt: agent.endedAt?.toISOString() ?? null,
      lastSeenAt: agent.lastSeenAt?.toISOString() ?? null,
      reportedGeneration: agent.reportedGeneration,
      reportedAt: agent.reportedAt?.toISOString() ?? null,
      // Checked when it came; one of an older release may lack what this one shows.
      ...(agentTold.safeParse(agent.report).data ?? agentTold.parse({})),
    })),
  }),
  inviteAgent: async ({ params, body }, { context, caller, agentListener }) => {
    if (agentListener === null) {
      throw new LockstepError("SETTING_INVALID", "Cannot invite: this server does not listen for agents.", {
        hint: "Start it with LOCKSTEP_AGENT_LISTEN=0.0.0.0:7421 (or --agents 7421), and say in LOCKSTEP_AGENT_URL what agents dial.",
      });
    }
    if (!body.reusable && (body.expiresInMs ?? 0) > CODE_LIFE_MS) {
      throw new LockstepError(
        "INPUT_INVALID",
        "Cannot invite: a code that serves once lives for 15 minutes.",
      );
    }
    const { code, expiresAt, replaces, ended } = await inviteAgent(context, caller.actor, {
      environment: params.environment,
      target: params.name,
      reusable: body.reusable,
      replace: body.replace,
      livesMs: body.expiresInMs ?? (body.reusable ? REUSABLE_LIFE_MS : CODE_LIFE_MS),
      listener: agentListener,
    });
    return {
      code,
      target: params.name,
      environment: params.environment,
      reusable: body.reusable,
      expiresAt: expiresAt.toISOString(),
      url: agentListener.url,
      program: agentListener.program,
      replaces: replaces.map(nameOf),
      ended: ended.map(nameOf),
    };
  },
  revokeAgent: async ({ params, body }, { context, caller }) => {
    const ended = await revokeAgent(context, caller.actor, {
      environment: params.environment,
      target: params.name,
      ...body,
    });
    return {
      target: params.name,
      environment: params.environment,
      agents: ended.map(({ id, received }) => ({
        id,
        received: received.map(({ secret, version, firstAt }) => ({
          secret,
          // A binding across environments would need its own word here; there is none yet.
          environment: params.environment,
          version,
          firstAt: firstAt.toISOString(),
        })),
      })),
    };
  },
};

function nameOf(agent: AgentRecord): NamedAgent {
  return {
    id: agent.id,
    target: agent.target,
    state: agent.state,
    hostname: text(agent.facts["hostname"]),
    keyFingerprint: keyFingerprint(agent),
    enrolledFrom: agent.enrolledFrom,
    createdAt: agent.createdAt.toISOString(),
    confirmUntil: agent.confirmUntil?.toISOString() ?? null,
  };
}

function text(fact: unknown): string {
  return typeof fact === "string" ? fact : "";
}
