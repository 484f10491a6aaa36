/**
 * The agent as its commands know it. Each opens what it needs and closes it again; only `run` and `runChild` stay, and
 * hold the identity's lock while they do.
 */

import { LockstepError } from "../../core/errors.ts";
import { pause } from "../../lib/pause.ts";
import { readUserFile } from "../../lib/user-file.ts";
import { visibleLine } from "../../lib/visible-text.ts";
import { type EnrolmentCode, parseEnrolmentCode } from "../../protocol/agent/enrolment-code.ts";
import { publicPart, thumbprint } from "../../protocol/agent/keys.ts";
import type { AgentStatus, EnrolledAgent, UpgradedProgram } from "../../protocol/agent/on-host.ts";
import type { AgentSettings } from "../../settings/agent-program.ts";
import { ChildUnit } from "./apply/child-unit.ts";
import { readRecord } from "./cache/record.ts";
import { pidOneRemark } from "./child/run-child.ts";
import { SupervisedRunner } from "./child/supervised-runner.ts";
import { AgentClient } from "./client/client.ts";
import { createTransport } from "./client/transport.ts";
import { AGENT_TIMING } from "./context.ts";
import { agentFactsOf } from "./facts.ts";
import { draftFirstPolicy } from "./first-policy.ts";
import { type AgentFiles, memoryFiles, openAgentFiles } from "./identity/agent-files.ts";
import { enrol } from "./identity/enrol.ts";
import { type Identity, loadIdentity, requireIdentity } from "./identity/identity.ts";
import { lifeOfHolder, lockIdentity } from "./identity/lock.ts";
import { createAgentLog } from "./log.ts";
import { runAgentLoop } from "./loop/agent-loop.ts";
import { backoffMs } from "./loop/backoff.ts";
import { reportingNow } from "./loop/reporting.ts";
import { currentUid, openAgent, policyPlace } from "./open-agent.ts";
import { explainPolicy } from "./policy/explain-policy.ts";
import { loadPolicy, writeFirstPolicy } from "./policy/load-policy.ts";
import type { AgentProgramOptions } from "./program-options.ts";
import { service } from "./service.ts";
import { readStatus } from "./status.ts";
import { fetchOffer, fetchProgram } from "./upgrade/fetch-program.ts";
import { upgradeProgram } from "./upgrade/upgrade-program.ts";

const ENDING = ["SIGINT", "SIGTERM"] as const;

export interface UpgradeRequest {
  readonly allowOlder: boolean;
  readonly say: (line: string) => void;
}

export function createAgentProgram(options: AgentProgramOptions) {
  const { settings, version, write, scrubber } = options;
  const log = createAgentLog({ write, scrub: (text) => scrubber.scrub(text) });
  const know = (value: string): void => scrubber.know(value);
  const place = policyPlace(settings);
  const exchange = (code: EnrolmentCode, files: AgentFiles, signal: AbortSignal): Promise<Identity> =>
    enrol(
      code,
      {
        files,
        facts: agentFactsOf(version),
        transport: createTransport(code),
        nowMs: Date.now,
        timeoutMs: AGENT_TIMING.requestMs,
        knownEpoch: async (storeId) => {
          const accepted = (await readRecord(files))?.accepted;
          return accepted?.storeId === storeId ? accepted.epoch : null;
        },
      },
      signal,
    );
  const onMachine = service(options, place);
  const open = (files: AgentFiles, identity: Identity, child: ChildUnit | null) =>
    openAgent({ ...options, files, identity, log, know, child });

  return {
    /**
     * `replace`: the identity that this machine has may be given up. Throws AGENT_ENROLLED without it, ENROLMENT_INVALID,
     * ENROLMENT_CONTESTED, AGENT_RUNNING, FILE_UNSAFE, and what the line throws.
     */
    async enroll(
      text: string,
      signal: AbortSignal,
      { replace = false }: { readonly replace?: boolean } = {},
    ): Promise<EnrolledAgent> {
      const code = readCode(text);
      const files = await openAgentFiles(settings.stateDirectory, { create: true });
      const release = await lockIdentity(settings.stateDirectory);
      try {
        if (!replace) await assertNoIdentity(files);
        const identity = await exchange(code, files, signal);
        const { agentId, target, environment, url } = identity;
        return {
          agentId,
          target,
          environment,
          url,
          keyFingerprint: thumbprint(publicPart(identity.signKey)),
          stateDirectory: settings.stateDirectory,
          policyFile: place.policyPath,
          policyDraft: await draftFirstPolicy(await open(files, identity, null), place.policyPath, signal),
        };
      } finally {
        await release();
      }
    },

    /** Writes the host's first policy, which its owner has seen. Throws ALREADY_EXISTS. */
    writePolicy: (text: string): Promise<void> => writeFirstPolicy(place.policyPath, text, currentUid()),

    /** Until `signal` aborts. Throws AGENT_NOT_ENROLLED, AGENT_IDENTITY, AGENT_RUNNING, FILE_UNSAFE. */
    async run(signal: AbortSignal): Promise<void> {
      const files = await openAgentFiles(settings.stateDirectory, { create: false });
      const identity = await requireIdentity(files);
      const release = await lockIdentity(settings.stateDirectory);
      try {
        log.say(`agent of target ${identity.target} (${identity.environment}), server ${identity.url}`);
        await runAgentLoop(await open(files, identity, null), signal);
        log.say("ended; services keep what they have");
      } finally {
        await release();
      }
    },

    /** Answers the program's exit code. `interrupted` ends the waiting for the first values; later signals are the program's. */
    async runChild(argv: readonly [string, ...string[]], interrupted: AbortSignal): Promise<number> {
      const { files, identity, release } = await identityForChild(interrupted);
      try {
        const end = new AbortController();
        let exitCode = 1;
        const runner = new SupervisedRunner(
          { argv, baseEnvironment: ownEnvironment(settings.env) },
          (code) => {
            exitCode = code;
            end.abort();
          },
        );
        // As for any program that a signal ended: who supervises us must not take it for a failure of ours.
        const onSignal = (_name: NodeJS.Signals, number: number): void => {
          if (!runner.isStarted) exitCode = 128 + number;
        };
        for (const name of ENDING) process.once(name, onSignal);
        const onInterrupt = (): void => (runner.isStarted ? undefined : end.abort());
        interrupted.addEventListener("abort", onInterrupt, { once: true });
        if (interrupted.aborted) onInterrupt();
        const remark = pidOneRemark(process.pid);
        if (remark !== null) log.say(remark);
        await runAgentLoop(await open(files, identity, new ChildUnit(runner)), end.signal);
        for (const name of ENDING) process.off(name, onSignal);
        return exitCode;
      } finally {
        await release();
      }
    },

    status: (signal: AbortSignal): Promise<AgentStatus> => readStatus(settings, place.policyPath, signal),

    ...onMachine,

    /**
     * Throws UNSUPPORTED for a program that was not downloaded, AGENT_NOT_ENROLLED, and what `upgradeProgram` throws.
     */
    async upgrade({ allowOlder, say }: UpgradeRequest, signal: AbortSignal): Promise<UpgradedProgram> {
      const { form, self } = options;
      if (form?.kind !== "file") {
        throw new LockstepError(
          "UNSUPPORTED",
          "Cannot upgrade: this agent is part of an installed Lockstep.",
          {
            hint: "Upgrade it the way it was installed, then restart the agent's service.",
          },
        );
      }
      const { stateDirectory } = settings;
      const files = await openAgentFiles(stateDirectory, { create: false });
      const identity = await requireIdentity(files);
      const transport = createTransport(identity);
      const client = new AgentClient(
        { transport, nowMs: Date.now, timeoutMs: AGENT_TIMING.requestMs },
        identity,
      );
      return upgradeProgram(
        {
          own: form,
          release: version,
          uid: currentUid(),
          interpreter: form.runsOn === "node" ? self.slice(0, -1) : [],
          offer: (until) => fetchOffer(client, identity, until),
          fetch: (file, path, until) => fetchProgram(transport, file, path, until),
          service: await onMachine.serviceOf(form.path, say),
          running: () => lifeOfHolder(stateDirectory),
          reporting: async () => (await reportingNow(files, stateDirectory))?.life ?? null,
          reportWithinMs: options.timing?.reportWithinMs ?? AGENT_TIMING.reportWithinMs,
          say,
          ...(options.upgradeCheckpoint && { checkpoint: options.upgradeCheckpoint }),
        },
        { allowOlder },
        signal,
      );
    },

    /** What is in force, what was refused, and the lines that would allow it. */
    async policy(): Promise<{ readonly path: string; readonly text: string }> {
      const files = await openAgentFiles(settings.stateDirectory, { create: false });
      const refused = (await readRecord(files))?.refused ?? [];
      return {
        path: place.policyPath,
        text: explainPolicy(await loadPolicy(place.policyPath, currentUid()), refused),
      };
    },
  };

  async function identityForChild(signal: AbortSignal) {
    if (settings.enrolmentFile === null) {
      const files = await openAgentFiles(settings.stateDirectory, { create: false });
      const identity = await requireIdentity(files);
      return { files, identity, release: await lockIdentity(settings.stateDirectory) };
    }
    const files = memoryFiles();
    const code = readCode(await readCodeFile(settings.enrolmentFile, signal));
    for (let failures = 0; ; failures += 1) {
      try {
        return { files, identity: await exchange(code, files, signal), release: async () => undefined };
      } catch (error) {
        const mayPass = error instanceof LockstepError && error.verdict === "later";
        if (!mayPass || signal.aborted) throw error;
        log.failed("enrolling", error);
        await pause(backoffMs(AGENT_TIMING.reconnectMs, failures, Math.random()), signal);
      }
    }
  }
}

/** One that ended by the server's word, or that nobody can use, is nothing to ask about. */
async function assertNoIdentity(files: AgentFiles): Promise<void> {
  const identity = await loadIdentity(files).catch((error: unknown) => {
    if (error instanceof LockstepError && error.code === "AGENT_IDENTITY") return null;
    throw error;
  });
  if (identity === null) return;
  const record = await readRecord(files);
  if (record?.agentId === identity.agentId && record.revokedAt !== null) return;
  throw new LockstepError(
    "AGENT_ENROLLED",
    `This machine is the agent of "${identity.target}" in ${identity.environment} already.`,
  );
}

export type AgentProgram = ReturnType<typeof createAgentProgram>;

/** The program is its caller's own choice and has its caller's environment; Lockstep's own settings stay with us. */
function ownEnvironment(env: AgentSettings["env"]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && !entry[0].startsWith("LOCKSTEP_"),
    ),
  );
}

const MAX_CODE_BYTES = 16 * 1024;

async function readCodeFile(path: string, signal: AbortSignal): Promise<string> {
  try {
    return (await readUserFile(path, { maxBytes: MAX_CODE_BYTES }, signal)).toString("utf8");
  } catch {
    throw new LockstepError(
      "ENROLMENT_INVALID",
      `Cannot read the enrolment code from ${visibleLine(path)}.`,
      {
        hint: "LOCKSTEP_ENROLMENT_FILE names a file that holds a code of `lockstep agent invite`.",
      },
    );
  }
}

function readCode(text: string): EnrolmentCode {
  const code = parseEnrolmentCode(text);
  if (code !== null) return code;
  throw new LockstepError("ENROLMENT_INVALID", "That is no whole enrolment code.", {
    hint: "Copy all of it, from lse_ to its end, as `lockstep agent invite TARGET` printed it.",
  });
}
