/** How the agent stands, told from its own files: also when it does not run, and when the server is away. */

import { toLockstepError } from "../../core/errors.ts";
import { publicPart, thumbprint } from "../../protocol/agent/keys.ts";
import type { Bundle } from "../../protocol/agent/messages.ts";
import type { AgentStatus } from "../../protocol/agent/on-host.ts";
import { AGENT_PATHS } from "../../protocol/agent/paths.ts";
import type { AgentSettings } from "../../settings/agent-program.ts";
import { openBundle } from "./apply/open-bundle.ts";
import { type AgentRecord, emptyRecord, readRecord } from "./cache/record.ts";
import { readCache } from "./cache/sealed-cache.ts";
import { createTransport } from "./client/transport.ts";
import { openAgentFiles } from "./identity/agent-files.ts";
import { type Identity, requireIdentity } from "./identity/identity.ts";
import { lockHolder } from "./identity/lock.ts";
import { servicePaths } from "./install/install-agent.ts";
import { installedProgram } from "./install/installed-program.ts";

const REACH_TIMEOUT_MS = 3_000;

/** Throws AGENT_NOT_ENROLLED, AGENT_IDENTITY, FILE_UNSAFE. */
export async function readStatus(
  { stateDirectory, homeDirectory }: AgentSettings,
  policyFile: string,
  signal: AbortSignal,
): Promise<AgentStatus> {
  const files = await openAgentFiles(stateDirectory, { create: false });
  const identity = await requireIdentity(files);
  const { agentId, target, environment, url } = identity;
  const found = await readRecord(files);
  const record = found?.agentId === agentId ? found : emptyRecord(agentId);
  const cached = await readCache(files);
  const bundle = cached === null ? null : await openCached(identity, cached, record);
  const reach = record.revokedAt === null ? await reachServer(identity, signal) : "the agent was revoked";
  return {
    agentId,
    target,
    environment,
    keyFingerprint: thumbprint(publicPart(identity.signKey)),
    stateDirectory,
    policyFile,
    pid: await lockHolder(stateDirectory),
    services: await installedServices(homeDirectory),
    server: {
      url,
      reachable: reach === null,
      reason: reach,
      lastContactAt: record.lastContactAt,
      revokedAt: record.revokedAt,
    },
    cache:
      bundle === null || cached === null
        ? null
        : {
            epoch: bundle.epoch,
            generation: bundle.generation,
            receivedAt: cached.receivedAt,
            ageSeconds: Math.max(0, Math.round((Date.now() - Date.parse(cached.receivedAt)) / 1_000)),
          },
    keys: record.seen.map((item) => ({
      placement: item.placement,
      key: item.key,
      secret: bundle?.slots.find(({ bindingId }) => bindingId === item.bindingId)?.secret ?? null,
      version: item.version,
      found: item.found.kind,
      foundVersion: item.found.kind === "version" ? item.found.version : null,
      inSync: item.action === "unchanged" || item.action === "left",
      reason: item.found.kind === "unreadable" ? item.found.reason : null,
    })),
    unit:
      record.unit === null
        ? null
        : { key: record.unit.key, state: record.unit.state, error: record.unit.error?.message ?? null },
    refused: record.refused,
    incidents: record.incidents,
  };
}

async function installedServices(home: string): Promise<AgentStatus["services"]> {
  if (process.platform !== "linux" && process.platform !== "darwin") return [];
  const found = await Promise.all(servicePaths(home, process.platform).map(installedProgram));
  return found.flatMap((service) =>
    service === null ? [] : [{ path: service.path, missing: service.missing }],
  );
}

async function openCached(
  identity: Identity,
  { sealed, nonce }: { readonly sealed: string; readonly nonce: string },
  { accepted }: Pick<AgentRecord, "accepted">,
): Promise<Bundle | null> {
  try {
    const answer = await openBundle(sealed, { identity, nonce, accepted });
    return answer.kind === "bundle" ? answer : null;
  } catch {
    return null;
  }
}

/** Null: it answers, and with the pinned key. Nothing is signed: a look must not count as the agent's own contact. */
async function reachServer(identity: Identity, signal: AbortSignal): Promise<string | null> {
  try {
    const { stream } = await createTransport(identity).send({
      method: "GET",
      path: AGENT_PATHS.events,
      headers: {},
      body: null,
      timeoutMs: REACH_TIMEOUT_MS,
      signal,
    });
    stream.destroy();
    return null;
  } catch (error) {
    return toLockstepError(error).message;
  }
}
