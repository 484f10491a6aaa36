/** What the suites share: an open target over a fresh place, changes in short, and errors that must say nothing. */
import { inspect } from "node:util";
import { afterEach, beforeEach, expect } from "vitest";
import { LockstepError } from "../../../src/core/errors.ts";
import type { Order } from "../../../src/core/order.ts";
import type { Observed } from "../../../src/core/ports/place.ts";
import type { Change, Target } from "../../../src/core/ports/target.ts";
import type { TargetCapabilities } from "../../../src/core/ports/target-kind.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { CANARY, contextFor, type PlaceUnderTest, STORE_ID, type TargetConformance } from "./place.ts";

export const order = (generation: number, epoch = 1, storeId = STORE_ID): Order => ({
  storeId,
  epoch,
  generation,
  digest: "a".repeat(64),
});

/** An upper limit that only a broken target reaches. */
export const soon = (): AbortSignal => AbortSignal.timeout(20_000);

export class Kit {
  place!: PlaceUnderTest;
  target!: Target;
  capabilities!: TargetCapabilities;
  readonly budgetKeys: string[] = [];
  readonly #conformance: TargetConformance;

  constructor(conformance: TargetConformance) {
    this.#conformance = conformance;
  }

  async start(): Promise<void> {
    const { kind } = this.#conformance;
    this.place = await this.#conformance.start();
    const { config, credentials } = kind.parse(this.place.raw);
    this.capabilities = kind.capabilities(config);
    this.target = kind.open(config, credentials, contextFor(this.budgetKeys));
  }

  async stop(): Promise<void> {
    await this.target.close();
    await this.place.stop();
  }

  set(values: Readonly<Record<string, string>>): Change {
    return {
      set: Object.entries(values).map(([key, value]) => ({
        ...this.place.address(key),
        value: SecretValue.of(value),
      })),
      unset: [],
    };
  }

  unset(...keys: string[]): Change {
    return { set: [], unset: keys.map((key) => this.place.address(key)) };
  }

  apply(change: Change, as: Order = order(1), signal: AbortSignal = soon()) {
    return this.target.apply(change, as, signal);
  }

  async observe(...keys: string[]): Promise<readonly Observed[]> {
    const seen = await this.target.observe(
      keys.map((key) => this.place.address(key)),
      soon(),
    );
    return seen.keys.map(({ observed }) => observed);
  }

  async value(key: string): Promise<string | null> {
    const [observed] = await this.observe(key);
    return observed?.state === "present" ? observed.value.reveal() : null;
  }
}

/** A fresh place before each test, gone after it. */
export function useKit(conformance: TargetConformance): Kit {
  const kit = new Kit(conformance);
  beforeEach(() => kit.start());
  afterEach(() => kit.stop());
  return kit;
}

/** The error that `work` ends with: ours, and without a trace of what was sent. */
export async function failure(work: Promise<unknown>): Promise<LockstepError> {
  const thrown: unknown = await work.then(
    () => null,
    (error: unknown) => error,
  );
  if (!(thrown instanceof LockstepError))
    throw new Error(`it did not end with a LockstepError: ${String(thrown)}`);
  expect(thrown.cause).toBeUndefined();
  expectSilent(inspect(thrown, { depth: 10, showHidden: true }));
  expectSilent(`${JSON.stringify(thrown)} ${thrown.message} ${thrown.hint} ${thrown.stack}`);
  return thrown;
}

export function expectSilent(text: string): void {
  expect(text).not.toContain(CANARY);
  expect(text).not.toContain(Buffer.from(CANARY).toString("base64").slice(0, 20));
}
