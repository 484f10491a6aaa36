/**
 * The loop on a real store with scripted places: builds the context, seeds targets and bindings, and drives the work
 * inline, so that a test decides what happens between two steps instead of waiting for it.
 */

import { randomUUID } from "node:crypto";
import { sql } from "kysely";
import { createChannels } from "../../src/adapters/channels/channels.ts";
import { createFingerprinter, newFingerprintKey, sameValue } from "../../src/adapters/crypto/fingerprint.ts";
import { createLocalKeyRing } from "../../src/adapters/crypto/local-key-ring.ts";
import { createSealer } from "../../src/adapters/crypto/sealer.ts";
import { fetchHostKey } from "../../src/adapters/hosts/ssh/connect.ts";
import { createIssuers } from "../../src/adapters/issuers/issuers.ts";
import { randomValue } from "../../src/adapters/issuers/random/random.ts";
import { createDial } from "../../src/adapters/outgoing/dial.ts";
import { createServerProber } from "../../src/adapters/probes/http-prober.ts";
import { createServerUsageReader } from "../../src/adapters/probes/usage-reader.ts";
import { createRailwayExplorer } from "../../src/adapters/targets/railway/explore.ts";
import { createSealedValues } from "../../src/adapters/values/sealed-values.ts";
import { activateUnit } from "../../src/app/activation/activate-unit.ts";
import { followActivations } from "../../src/app/activation/follow-activations.ts";
import { type AppContext, DEFAULT_TIMING } from "../../src/app/base/context.ts";
import { dispatchFollowUps } from "../../src/app/jobs/dispatch.ts";
import { observeTarget } from "../../src/app/jobs/observe-target.ts";
import { reconcileTarget } from "../../src/app/jobs/reconcile-target.ts";
import { advanceRollout } from "../../src/app/rollouts/advance-rollout.ts";
import { type Introduced, introduceVersion } from "../../src/app/versions/introduce-version.ts";
import type { Actor } from "../../src/core/actor.ts";
import type { JsonObject } from "../../src/core/json.ts";
import type { Job, Queue } from "../../src/core/ports/queue.ts";
import type { Sealer } from "../../src/core/ports/sealer.ts";
import type { ValueStores } from "../../src/core/ports/value-store.ts";
import { DEFAULT_RETENTION } from "../../src/core/retention.ts";
import type { Role } from "../../src/core/secret.ts";
import { SecretValue } from "../../src/core/secret-value.ts";
import type { TestDatabase } from "./database.ts";
import { emptyTables } from "./empty-tables.ts";
import { expectJudged, judgeStep } from "./judged.ts";
import { scriptedKind } from "./scripted-target.ts";
import { NO_TELEMETRY } from "./telemetry.ts";

export const TESTER: Actor = { kind: "local", id: "tester", name: "tester" };

export interface LoopKit {
  readonly context: AppContext;
  /** Another process on the same store. */
  other(overrides?: Partial<AppContext>): AppContext;
  target(name: string): Promise<string>;
  secret(name: string): Promise<string>;
  bind(
    secret: string,
    target: string,
    options?: {
      readonly key?: string;
      readonly role?: Role;
      readonly optional?: boolean;
      /** Probe and attestations, as they are stored. */
      readonly said?: JsonObject;
    },
  ): Promise<string>;
  set(secret: string, value: string, context?: AppContext): Promise<Introduced>;
  /** Lets everything that is due happen, as the sweep would find it, until nothing is due. */
  drain(context?: AppContext): Promise<void>;
  /** Makes everything that waits for a later time due now. */
  hurry(): Promise<void>;
  /** Time passes until no write can be in flight any more. */
  landed(): Promise<void>;
  targetIds(...names: readonly string[]): Promise<readonly string[]>;
  /** Empties the store, as for a new test. */
  reset(): Promise<void>;
  rows<T>(query: string): Promise<readonly T[]>;
}

const MAX_ROUNDS = 50;
const STORE_ID = randomUUID();

const fingerprinter = createFingerprinter(newFingerprintKey());
const ROOT_KEY = createLocalKeyRing(new Uint8Array(32).fill(9));
const sealer = createSealer([ROOT_KEY]);

/** `isJudged`: what is kept of every place is held to the story, at each of its steps. */
export function createLoopKit(database: TestDatabase, { isJudged = false } = {}): LoopKit {
  // What no row of the store says is due: looks are asked for again by the rollout that needs them.
  const hinted = new Map<string, Job>();
  const queue: Queue = {
    enqueue: async (jobs) => {
      for (const job of jobs)
        if (job.name === "look" || job.name === "advance") hinted.set(`${job.name} ${job.id}`, job);
    },
    start: async () => {},
    close: async () => {},
  };
  const takeHinted = (): readonly Job[] => {
    const taken = [...hinted.values()];
    hinted.clear();
    return taken;
  };
  const context = contextOn(database, { queue });
  const { db } = database;
  const never = new AbortController().signal;

  const ids = new Map<string, string>();
  const idOf = (name: string): string => ids.get(name) ?? fail(`unknown ${name}`);

  const kit: LoopKit = {
    context,
    other: (overrides = {}) => contextOn(database, { queue, ...overrides }),
    async target(name) {
      const place = `${name}-${randomUUID()}`;
      const environment = await context.store.transaction((tx) => tx.secrets.ensureEnvironment("production"));
      const { rows } = await sql<{ id: string }>`
        insert into target (environment_id, name, kind, config, destination)
        values (${environment.id}, ${name}, 'memory', ${JSON.stringify({ place })}::jsonb, ${`memory:${place}`})
        returning id`.execute(db);
      ids.set(name, rows[0]?.id ?? fail("no target"));
      return place;
    },
    async secret(name) {
      const created = await context.store.transaction(async (tx) => {
        const environment = await tx.secrets.ensureEnvironment("production");
        return tx.secrets.create({ environmentId: environment.id, name, policy: {} });
      });
      ids.set(name, created.id);
      return created.id;
    },
    async bind(secret, target, options = {}) {
      const known = await context.store.read.secrets.find("production", secret);
      if (known !== null) ids.set(secret, known.id);
      const key = options.key ?? secret;
      const { rows } = await sql<{ id: string }>`
        insert into binding (secret_id, target_id, key, fallback_key, role, optional, options)
        values (${idOf(secret)}, ${idOf(target)}, ${key}, ${`${key}_FALLBACK`}, ${options.role ?? "both"},
          ${options.optional ?? false}, ${JSON.stringify(options.said ?? {})}::jsonb) returning id`.execute(
        db,
      );
      const id = rows[0]?.id ?? fail("no binding");
      await sql`
        insert into ownership (place, key, target_id, binding_id, placement, slot)
        values (${idOf(target)}, ${key}, ${idOf(target)}, ${id}, '', 'primary'),
          (${idOf(target)}, ${`${key}_FALLBACK`}, ${idOf(target)}, ${id}, '', 'fallback')`.execute(db);
      return id;
    },
    set: (secret, value, by = context) =>
      introduceVersion(by, TESTER, {
        environment: "production",
        name: secret,
        fields: { value: SecretValue.of(value) },
      }),
    async drain(by = context) {
      for (let round = 0; round < MAX_ROUNDS; round += 1) {
        const { read } = by.store;
        const targets = await read.targets.due(100);
        const activations = await read.activations.due(100);
        const groups = await read.activations.groupsDue(100);
        const rollouts = await read.rollouts.due(100);
        const hinted = takeHinted();
        if (isJudged) await judgeStep(by);
        if (targets.length + activations.length + groups.length + rollouts.length + hinted.length === 0)
          return;
        for (const id of targets) await reconcileTarget(by, id, never);
        for (const id of activations) await activateUnit(by, id, never);
        for (const id of groups) await followActivations(by, id, never);
        for (const id of rollouts) await advanceRollout(by, id);
        for (const { name, id } of hinted) {
          if (name === "look") await observeTarget(by, id, never);
          else await advanceRollout(by, id);
        }
      }
      fail("the loop does not come to rest");
    },
    async hurry() {
      await sql`update target set next_action_at = now(), lease_until = null where generation <> settled_generation`.execute(
        db,
      );
      await sql`update activation set next_action_at = now(), lease_until = null where state in ('owed', 'requested')`.execute(
        db,
      );
      await sql`update rollout set next_action_at = now() where state in ('running', 'stalled')`.execute(db);
    },
    async landed() {
      await sql`update target set in_flight_until = now(), next_action_at = now() where in_flight_until is not null`.execute(
        db,
      );
    },
    targetIds: async (...names) => names.map(idOf),
    async reset() {
      if (isJudged) await expectJudged(context, db);
      ids.clear();
      hinted.clear();
      await emptyTables(db, ["environment", "unit"]);
    },
    async rows<T>(query: string) {
      return (await sql.raw<T>(query).execute(db)).rows;
    },
  };
  return kit;
}

function valuesUnder(keys: Sealer): ValueStores {
  const sealed = createSealedValues(keys);
  return { wanted: sealed, sealed, named: null };
}

function contextOn(database: TestDatabase, overrides: Partial<AppContext>): AppContext {
  return {
    store: database.store,
    storeId: STORE_ID,
    rootKeyId: ROOT_KEY.rootKeyId,
    sealer,
    opened: { channels: new Map(), storeKeys: new Map() },
    fingerprinter,
    values: valuesUnder(overrides.sealer ?? sealer),
    vaultToken: null,
    sameValue,
    makeRandom: randomValue,
    agentNotifier: { notify: () => {}, listen: () => () => {}, close: async () => {} },
    dispatch: dispatchFollowUps,
    queue: { enqueue: async () => {}, start: async () => {}, close: async () => {} },
    clock: { now: () => new Date() },
    ownClock: { now: () => new Date() },
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    telemetry: NO_TELEMETRY,
    budget: { take: async () => {}, report: async () => {} },
    targetKinds: new Map([[scriptedKind.kind, scriptedKind]]),
    timing: {
      ...DEFAULT_TIMING,
      quietMs: 0,
      minPollMs: 0,
      maxPollMs: 0,
      notStartedAfterMs: 0,
      retryFailedActivationMs: 0,
      readBackDelaysMs: [0, 0],
    },
    revisionMarker: false,
    retention: DEFAULT_RETENTION,
    freeDisk: null,
    release: "0.0.0-test",
    processId: `test-${randomUUID()}`,
    checkpoint: async () => {},
    channels: createChannels(createDial({ ownListeners: () => [] })),
    issuers: createIssuers({
      connect: createDial({ ownListeners: () => [] }),
      allowedCommands: async () => null,
    }),
    prober: createServerProber({ ownListeners: () => [] }),
    usageReader: createServerUsageReader({ ownListeners: () => [] }),
    readHostKey: (address, signal) => fetchHostKey(address, { signal }),
    railwayExplorer: createRailwayExplorer({ take: async () => {}, report: async () => {} }),
    hideFromLog: () => {},
    random: () => 0.5,
    ...overrides,
  };
}

function fail(what: string): never {
  throw new Error(what);
}
