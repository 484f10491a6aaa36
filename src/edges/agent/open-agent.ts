/** Puts an agent together from its files and its machine. */
import { join } from "node:path";
import { LocalHost } from "../../adapters/hosts/local/local-host.ts";
import { toLockstepError } from "../../core/errors.ts";
import { childEnvironment } from "../../lib/child-environment.ts";
import { judgeProgram } from "../../lib/trusted-path.ts";
import type { Bundle } from "../../protocol/agent/messages.ts";
import type { AgentSettings } from "../../settings/agent-program.ts";
import type { Allowed } from "./apply/allowed.ts";
import type { ChildUnit } from "./apply/child-unit.ts";
import { judgeBundle } from "./apply/judge-bundle.ts";
import { RecordKeeper } from "./cache/record.ts";
import { AgentClient } from "./client/client.ts";
import { createTransport } from "./client/transport.ts";
import { AGENT_TIMING, type AgentContext, type AgentLog, type AgentTiming } from "./context.ts";
import { agentFactsOf, bootIdOf } from "./facts.ts";
import type { AgentFiles } from "./identity/agent-files.ts";
import type { Identity } from "./identity/identity.ts";
import type { PolicyPlace } from "./policy/check-policy.ts";
import { defaultPolicyPath, loadPolicy } from "./policy/load-policy.ts";
import { NO_POLICY } from "./policy/policy.ts";

export interface OpenAgentOptions {
  readonly settings: AgentSettings;
  readonly version: string;
  readonly files: AgentFiles;
  readonly identity: Identity;
  readonly log: AgentLog;
  readonly know: (value: string) => void;
  readonly child: ChildUnit | null;
  readonly timing?: Partial<AgentTiming>;
  readonly checkpoint?: AgentContext["checkpoint"];
}

export async function openAgent(options: OpenAgentOptions): Promise<AgentContext> {
  const { settings, version, files, identity, log, know, child } = options;
  const timing = { ...AGENT_TIMING, ...options.timing };
  const nowMs = Date.now;
  const place = policyPlace(settings);
  return {
    identity,
    files,
    records: await RecordKeeper.open(files, identity.agentId),
    client: new AgentClient(
      { transport: createTransport(identity), nowMs, timeoutMs: timing.requestMs },
      identity,
    ),
    host: new LocalHost({ environment: childEnvironment(settings.env, { HOME: settings.homeDirectory }) }),
    // Read anew each time: its owner edits it while we run.
    judge: (bundle) => judge(bundle, place, child !== null),
    child,
    facts: agentFactsOf(version),
    bootId: await bootIdOf(nowMs()),
    tidied: new Set(),
    log,
    timing,
    nowMs,
    monotonicMs: () => performance.now(),
    random: Math.random,
    know,
    checkpoint: options.checkpoint ?? (async () => undefined),
  };
}

/**
 * The policy names programs; who may write one, or a directory above it, would choose what they do. Judged anew for each
 * step, so also right before a restart.
 */
function withTrustedPrograms(allowed: Allowed): Allowed {
  const { activation, health } = allowed;
  const refusals = [activation?.command, health?.command].flatMap((command) => {
    const [program] = command ?? [];
    if (program === undefined) return [];
    const judged = judgeProgram(program, { uid: currentUid(), sticky: true });
    if (judged.ok === true) return [];
    const reason = judged.ok === null ? "there is no such file" : judged.why;
    return [
      {
        what: `command ${program}`.slice(0, 200),
        reason: reason.slice(0, 500),
        add: judged.ok === null ? "" : judged.remedy.slice(0, 1_000),
      },
    ];
  });
  if (refusals.length === 0) return allowed;
  return { ...allowed, activation: null, health: null, refused: [...allowed.refused, ...refusals] };
}

/** A policy that cannot be trusted or read allows nothing, and the server is told why. */
async function judge(bundle: Bundle, place: PolicyPlace, hasChild: boolean): Promise<Allowed> {
  try {
    const { policy } = await loadPolicy(place.policyPath, currentUid());
    return withTrustedPrograms(judgeBundle(bundle, policy, place, hasChild));
  } catch (error) {
    const { message, hint } = toLockstepError(error);
    const refusal = { what: "the host's policy", reason: message.slice(0, 500), add: hint.slice(0, 1_000) };
    const nothing = judgeBundle(bundle, { ...NO_POLICY, environment: false }, place, hasChild);
    return { ...nothing, refused: [refusal] };
  }
}

export function policyPlace({ homeDirectory, stateDirectory, policyFile }: AgentSettings): PolicyPlace {
  return {
    home: homeDirectory,
    policyPath: policyFile ?? defaultPolicyPath({ uid: currentUid(), home: homeDirectory }),
    ownDirectories: [stateDirectory, join(homeDirectory, ".lockstep")],
    isRoot: currentUid() === 0,
  };
}

export function currentUid(): number {
  return process.geteuid?.() ?? -1;
}
