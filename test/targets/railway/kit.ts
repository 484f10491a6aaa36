/** One service on a simulated Railway, with a target opened on it: what the suites about Railway share. */
import { inspect } from "node:util";
import { afterEach, beforeEach, expect } from "vitest";
import { railwayKind } from "../../../src/adapters/targets/railway/target.ts";
import { LockstepError } from "../../../src/core/errors.ts";
import type { Order } from "../../../src/core/order.ts";
import type { Activator } from "../../../src/core/ports/activator.ts";
import type { UnitSpec } from "../../../src/core/ports/place.ts";
import type { Change, Target } from "../../../src/core/ports/target.ts";
import type { RequestBudget, SharedReads } from "../../../src/core/ports/target-context.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import {
  INSTANT,
  type RailwaySimulator,
  type SimulatorOptions,
  startRailwaySimulator,
} from "../../../src/simulator/railway/server.ts";

export const never = new AbortController().signal;
export const STORE = "11111111-2222-4333-8444-555555555555";
export const order = (generation: number): Order => ({
  storeId: STORE,
  epoch: 1,
  generation,
  digest: "a".repeat(64),
});
export const CANARY = "canary-4f1d-value";

export interface Opening {
  readonly token?: string;
  readonly service?: string | null;
  readonly environment?: string;
  readonly project?: string;
  readonly endpoint?: string;
  readonly tokenKind?: "project" | "account";
  readonly timeoutMs?: number;
  readonly budget?: RequestBudget;
  readonly marker?: boolean;
  readonly mayReach?: readonly string[];
  readonly redeployReferring?: boolean;
  readonly purpose?: "push" | "background";
  readonly sharedReads?: SharedReads;
}

export class RailwayKit {
  railway!: RailwaySimulator;
  serviceId!: string;
  readonly #opened: Target[] = [];

  async start(options: SimulatorOptions = {}): Promise<void> {
    this.railway = await startRailwaySimulator({ durations: INSTANT, ...options });
    ({ serviceId: this.serviceId } = await this.railway.state.addService({
      name: "api",
      variables: { KEPT: "theirs", OLD: "old" },
    }));
  }

  /** Another platform in place of the first. */
  async restart(options: SimulatorOptions): Promise<void> {
    await this.stop();
    await this.start(options);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#opened.splice(0).map((target) => target.close()));
    await this.railway.close();
  }

  open(options: Opening = {}): Target {
    const { projectId, environmentId, projectToken } = this.railway.defaults;
    const service = options.service === undefined ? this.serviceId : options.service;
    const { config, credentials } = railwayKind.parse({
      railway: {
        project: options.project ?? projectId,
        environment: options.environment ?? environmentId,
        ...(service === null ? { shared: true } : { service }),
        ...(options.tokenKind === undefined ? {} : { tokenKind: options.tokenKind }),
        ...(options.redeployReferring === undefined ? {} : { redeployReferring: options.redeployReferring }),
        ...(options.mayReach === undefined ? {} : { mayReach: options.mayReach }),
        token: options.token ?? projectToken,
        endpoint: options.endpoint ?? this.railway.url,
        requestTimeoutMs: options.timeoutMs ?? 5_000,
      },
    });
    const target = railwayKind.open(config, credentials, {
      targetName: "api",
      budget: options.budget ?? { take: async () => {}, report: async () => {} },
      storeId: STORE,
      revisionMarker: options.marker ?? true,
      ...(options.purpose === undefined ? {} : { purpose: options.purpose }),
      ...(options.sharedReads === undefined ? {} : { sharedReads: options.sharedReads }),
    });
    this.#opened.push(target);
    return target;
  }

  /** What is stored for the service, read around the target. */
  async stored(): Promise<Record<string, string>> {
    return this.railway.state.storedVariables({ service: this.serviceId });
  }
}

/** A fresh platform before each test. */
export function useRailway(): RailwayKit {
  const kit = new RailwayKit();
  beforeEach(() => kit.start());
  afterEach(() => kit.stop());
  return kit;
}

export function set(values: Record<string, string>, placement = ""): Change {
  return {
    set: Object.entries(values).map(([key, value]) => ({ placement, key, value: SecretValue.of(value) })),
    unset: [],
  };
}

export const at = (...keys: string[]) => keys.map((key) => ({ placement: "", key }));

/** The error that `work` ends with: ours, and without a word of what was sent. */
export async function failure(work: Promise<unknown>): Promise<LockstepError> {
  const error: unknown = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof LockstepError)) throw new Error(`no LockstepError: ${String(error)}`);
  expect(`${error.message} ${error.hint} ${JSON.stringify(error)} ${inspect(error)}`).not.toContain("canary");
  expect(error.cause).toBeUndefined();
  return error;
}

export async function unitOf(target: Target): Promise<{ unit: UnitSpec; activator: Activator }> {
  const { units } = await target.observe(at("OLD"), never);
  const [unit] = units;
  if (unit === undefined || target.activator === null) throw new Error("nothing restarts");
  return { unit, activator: target.activator };
}

/** Asks for one redeployment. */
export async function redeploy(target: Target) {
  const { unit, activator } = await unitOf(target);
  const { knownIds, dormant } = await activator.prepare(unit, never);
  const { id } = await activator.activate(unit, never);
  return { unit, asked: { id, knownIds }, dormant };
}

/** One look. */
export async function look(
  target: Target,
  unit: UnitSpec,
  asked: { readonly id: string | null; readonly knownIds: readonly string[] },
  expected: Change = set({}),
) {
  const one = { unit, ...asked, requestedAgoMs: 0, expected: expected.set };
  const [progress] = (await target.activator?.follow([one], never)) ?? [];
  if (progress === undefined) throw new Error("no progress");
  return progress;
}

/** Looks until it is decided. */
export async function untilFollowed(
  target: Target,
  unit: UnitSpec,
  asked: { readonly id: string | null; readonly knownIds: readonly string[] },
  expected: Change = set({}),
) {
  const deadline = AbortSignal.timeout(10_000);
  for (;;) {
    const progress = await look(target, unit, asked, expected);
    if (progress.state !== "running") return progress;
    deadline.throwIfAborted();
  }
}
