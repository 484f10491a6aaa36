/** A store with the secret bound to every place, a worker that can be killed, and a listener for agents behind a line that can be cut. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { inviteAgent } from "../../../src/app/agents/enrolment/manage-agents.ts";
import type { AppContext } from "../../../src/app/base/context.ts";
import { applyConfig } from "../../../src/app/config/apply-config.ts";
import { resumeRollout } from "../../../src/app/rollouts/resume-rollout.ts";
import { viewRollout } from "../../../src/app/rollouts/view-rollouts.ts";
import { setSecret } from "../../../src/app/secrets/change-secret.ts";
import { rotateSecret } from "../../../src/app/secrets/rotate-secret.ts";
import { composeContext } from "../../../src/composition/compose.ts";
import { startAgentListener } from "../../../src/composition/start-agent-listener.ts";
import type { Actor } from "../../../src/core/actor.ts";
import { LockstepError } from "../../../src/core/errors.ts";
import type { Phase, Strategy } from "../../../src/core/rollout/strategy.ts";
import { PLAIN_FIELD } from "../../../src/core/secret.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { configSchema } from "../../../src/protocol/config.ts";
import { readSettings } from "../../../src/settings/settings.ts";
import { type FaultProxy, startFaultProxy } from "../../support/fault-proxy.ts";
import type { BenchOptions } from "../support/bench.ts";
import { createBenchStore } from "../support/store.ts";
import { AGENTS, KEY, type RotationPlaces } from "./places.ts";
import { BENCH_TIMING } from "./timing.ts";

const ACTOR: Actor = { kind: "local", id: "bench", name: "bench" };
const ENVIRONMENT = "production";
const SECRET = { environment: ENVIRONMENT, name: KEY };
const LOOK_EVERY_MS = 200;
const SETTLED_MS = 60_000;
/** A write to Railway whose answer was lost may land for 155 s; a rotation with one in it takes that longer. */
const ROLLOUT_MS = 300_000;
const CODE_LIFE_MS = 5 * 60_000;

/** One rotation while it is under way. */
export interface Rotating {
  /** True when it came to this phase or a later one; false when it ended before. */
  reached(phase: Phase): Promise<boolean>;
  isOver(): boolean;
}

export interface World {
  /** The agents' line to the server. */
  readonly line: FaultProxy;
  /** Answers why it stalled, each time that it did and was resumed. */
  rotate(strategy: Strategy, meanwhile?: (rotating: Rotating) => Promise<void>): Promise<readonly string[]>;
  /** kill -9, and another one in its place. */
  killWorker(): Promise<void>;
}

export async function openWorld(
  options: BenchOptions,
  places: RotationPlaces,
  value: string,
): Promise<World> {
  const { cleanUp, signal } = options;
  const env = await createBenchStore(options);
  const { context, close } = await composeContext("server", readSettings({}, env), { timing: BENCH_TIMING });
  cleanUp(close);
  await setSecret(context, ACTOR, SECRET, { [PLAIN_FIELD]: SecretValue.of(value) });
  let worker = await startWorker(env);
  cleanUp(() => end(worker, "SIGTERM"));
  const config = configSchema.parse({
    environments: {
      [ENVIRONMENT]: {
        secrets: { [KEY]: { rotate: { settleFor: "1s" }, bindings: places.bindings } },
        targets: places.targets,
      },
    },
  });
  await applyConfig(context, ACTOR, { config });
  const line = await connectAgents(context, options, places);
  await settled(context, signal);
  return {
    line,
    async rotate(strategy, meanwhile) {
      const { rolloutId } = await rotateSecret(context, ACTOR, SECRET, { strategy }, signal);
      const rollout = new Rollout(context, rolloutId ?? "", signal);
      const [stalls] = await Promise.all([rollout.ended(), meanwhile?.(rollout)]);
      return stalls;
    },
    async killWorker() {
      await end(worker, "SIGKILL");
      worker = await startWorker(env);
    },
  };
}

/** The agents' real programs, enrolled; whatever they and the server say passes the proxy. */
async function connectAgents(
  context: AppContext,
  { cleanUp }: BenchOptions,
  places: RotationPlaces,
): Promise<FaultProxy> {
  const listener = await startAgentListener(context, {
    address: "127.0.0.1",
    port: 0,
    url: null,
    tls: { kind: "self-signed" },
    trustedProxies: [],
  });
  cleanUp(() => listener.close());
  const line = await startFaultProxy(Number(new URL(listener.url).port));
  cleanUp(() => line.stop());
  const url = `https://127.0.0.1:${line.port}`;
  const codes = new Map<string, string>();
  for (const target of AGENTS) {
    const { code } = await inviteAgent(context, ACTOR, {
      environment: ENVIRONMENT,
      target,
      reusable: false,
      livesMs: CODE_LIFE_MS,
      listener: { url, tlsKeyDigest: listener.tlsKeyDigest },
    });
    codes.set(target, code);
  }
  await places.startAgents(codes);
  return line;
}

class Rollout implements Rotating {
  readonly #context: AppContext;
  readonly #id: string;
  readonly #signal: AbortSignal;
  #isOver = false;

  constructor(context: AppContext, id: string, signal: AbortSignal) {
    this.#context = context;
    this.#id = id;
    this.#signal = signal;
  }

  isOver(): boolean {
    return this.#isOver;
  }

  async reached(phase: Phase): Promise<boolean> {
    for (;;) {
      const { phases, phase: now } = await viewRollout(this.#context, this.#id);
      if (phases.indexOf(now) >= phases.indexOf(phase)) return true;
      if (this.#isOver) return false;
      await delay(LOOK_EVERY_MS, undefined, { signal: this.#signal });
    }
  }

  /** Waits for its end; when it stands still it is resumed, as by a person who has repaired what it names. */
  async ended(): Promise<readonly string[]> {
    const deadline = Date.now() + ROLLOUT_MS;
    const stalls: string[] = [];
    try {
      for (;;) {
        const { state, phase, reason, members } = await viewRollout(this.#context, this.#id);
        if (state === "done") return stalls;
        if (Date.now() > deadline || (state !== "running" && state !== "stalled")) {
          const waits = members.map(({ target, waitsFor }) => `${target}: ${waitsFor ?? "ready"}`);
          const said = `${state} in ${phase}, ${reason ?? "no reason"}`;
          throw new Error(`a rollout does not end (${said}): ${waits.join("; ")}`);
        }
        if (state === "stalled" && (await this.#resume())) stalls.push(reason ?? "no reason");
        await delay(LOOK_EVERY_MS, undefined, { signal: this.#signal });
      }
    } finally {
      this.#isOver = true;
    }
  }

  async #resume(): Promise<boolean> {
    try {
      await resumeRollout(this.#context, ACTOR, this.#id);
      return true;
    } catch (error) {
      // It went on by itself, and has ended meanwhile.
      if (error instanceof LockstepError && error.code === "VERSION_STATE") return false;
      throw error;
    }
  }
}

async function settled(context: AppContext, signal: AbortSignal): Promise<void> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(SETTLED_MS)]);
  for (;;) {
    const { owed, activations } = await context.store.read.levels.read();
    if (owed.length === 0 && activations.every(({ state }) => state === "blocked")) return;
    await delay(LOOK_EVERY_MS, undefined, { signal: limit });
  }
}

async function startWorker(env: Readonly<Record<string, string>>): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, "worker-process.ts"), {
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...env },
    execArgv: ["--import", "tsx"],
  });
  const [said] = (await Promise.race([once(child, "message"), once(child, "exit")])) as [unknown];
  if (said !== "started") throw new Error("the worker did not start");
  return child;
}

async function end(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill(signal);
  await gone;
}
