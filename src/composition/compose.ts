/**
 * The one place that knows everyone: builds the adapters, hands them to the use cases, and takes them down again in
 * the order that loses nothing (edges first, then the queue, then the store).
 *
 *   up       the embedded store unless told, migrations, server, worker: one process
 *   server   the API; needs DATABASE_URL
 *   worker   the loop; needs DATABASE_URL
 *   migrate  brings the schemas up to this release and ends
 */
import { randomBytes } from "node:crypto";
import { statfs } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { createPostgresAgentNotifier } from "../adapters/agent-notifier/postgres-agent-notifier.ts";
import { createChannels } from "../adapters/channels/channels.ts";
import { sameValue } from "../adapters/crypto/fingerprint.ts";
import { openStoreKeys } from "../adapters/crypto/store-keys.ts";
import { fetchHostKey } from "../adapters/hosts/ssh/connect.ts";
import { commandsIn } from "../adapters/issuers/command/issuer.ts";
import { createIssuers } from "../adapters/issuers/issuers.ts";
import { randomValue } from "../adapters/issuers/random/random.ts";
import { createDial } from "../adapters/outgoing/dial.ts";
import { claimedListeners, type Listener } from "../adapters/outgoing/own-listeners.ts";
import { createServerProber } from "../adapters/probes/http-prober.ts";
import { createServerUsageReader } from "../adapters/probes/usage-reader.ts";
import { migratePostgresQueue } from "../adapters/queue/postgres-queue.ts";
import { startEmbeddedPostgres } from "../adapters/store/embedded/start.ts";
import { assertSchema, migrate } from "../adapters/store/migrator.ts";
import { createDatabase, createPool, poolLevels, type StoreConnection } from "../adapters/store/pool.ts";
import { PostgresRequestBudget } from "../adapters/store/request-budget.ts";
import { assertSession } from "../adapters/store/session.ts";
import { createStore } from "../adapters/store/store.ts";
import { startStoreClock } from "../adapters/store/store-clock.ts";
import { agentKind } from "../adapters/targets/agent/target.ts";
import { manualKind } from "../adapters/targets/manual/target.ts";
import { createRailwayExplorer } from "../adapters/targets/railway/explore.ts";
import { railwayKind } from "../adapters/targets/railway/target.ts";
import { closeSshConnections, sshKind } from "../adapters/targets/ssh/target.ts";
import { VaultLines } from "../adapters/targets/vault/log-in/lines.ts";
import { createVaultKind } from "../adapters/targets/vault/target.ts";
import { createLogger } from "../adapters/telemetry/logger.ts";
import { createScrubber, type Scrubber } from "../adapters/telemetry/scrubber.ts";
import { createSealedValues } from "../adapters/values/sealed-values.ts";
import { closeVaultLines, type OpenVault } from "../adapters/vault/create-vault.ts";
import type { Vault } from "../adapters/vault/vault.ts";
import { type AppContext, DEFAULT_TIMING } from "../app/base/context.ts";
import { dispatchFollowUps } from "../app/jobs/dispatch.ts";
import { LockstepError } from "../core/errors.ts";
import type { Logger } from "../core/ports/logger.ts";
import type { Sealer } from "../core/ports/sealer.ts";
import type { TargetKind } from "../core/ports/target-kind.ts";
import type { ValueStores } from "../core/ports/value-store.ts";
import { proxyCredential } from "../lib/proxy/way-out.ts";
import type { Settings } from "../settings/settings.ts";
import { openQueue, storeConnection } from "./connections.ts";
import { openDataDirectory } from "./data-directory.ts";
import { storeRings } from "./key-rings.ts";
import { knowingValues, openVault, tellOfVault, vaultTokenOf, vaultValues } from "./vault.ts";

export type Role = "up" | "server" | "worker" | "migrate";

const TARGET_KINDS: readonly TargetKind[] = [railwayKind, sshKind, agentKind, manualKind];

/** Undone in reverse order. */
type Undo = () => Promise<void>;

export interface Composed {
  readonly context: AppContext;
  close(): Promise<void>;
}

/** For fault tests: what a process may be told to do differently. */
export type ContextOverrides = Partial<
  Pick<AppContext, "timing" | "checkpoint" | "processId" | "release" | "targetKinds">
>;

/** Opens store, keys and queue. Throws what the person who starts it can act on. */
export async function composeContext(
  role: Role,
  settings: Settings,
  overrides: ContextOverrides = {},
): Promise<Composed> {
  const undo: Undo[] = [];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    return { context: await build(role, settings, overrides, undo), close };
  } catch (error) {
    await close().catch(() => undefined);
    throw error;
  }
}

async function build(
  role: Role,
  settings: Settings,
  overrides: ContextOverrides,
  undo: Undo[],
): Promise<AppContext> {
  const scrubber = createScrubber();
  const log = createLogger({ level: settings.logLevel, scrubber });
  // Loading what counts takes a tenth of a second, which passes while the store starts.
  const loadingTelemetry = import("../adapters/telemetry/telemetry.ts");
  knowCredentials(settings, scrubber);
  await openDataDirectory(settings.dataDirectory, log);

  const connection = await openConnection(role, settings, log, undo);
  await assertSession(connection);
  if (role === "up" || role === "migrate") {
    await migrate(connection, log);
    await migratePostgresQueue(connection);
  } else {
    await assertSchema(connection);
  }
  const pool = createPool(connection, log);
  const opened = createStore(pool);
  undo.push(() => opened.close());

  const clock = await startStoreClock(() => opened.read.meta.storeNow());
  undo.push(async () => clock.stop());

  // After the queue: what still works uses them.
  undo.push(closeSshConnections, closeVaultLines);

  const vault = vaultLine(settings, scrubber, undo);
  tellOfVault(log, settings);
  const keys = await openStoreKeys(opened, storeRings(settings, vault), (away) => tellOfRing(log, away));
  undo.push(async () => keys.close());
  const { store, storeId, rootKeyId, sealer, fingerprinter } = keys;
  const known = knowing(sealer, scrubber);
  const queue = openQueue(settings, connection, log);
  undo.push(() => queue.close());
  const agentNotifier = createPostgresAgentNotifier(connection, log);
  undo.push(() => agentNotifier.close());

  const budget = new PostgresRequestBudget(createDatabase(pool));
  return {
    store,
    storeId,
    rootKeyId,
    sealer: known,
    opened: { channels: new Map(), storeKeys: new Map() },
    fingerprinter,
    vaultToken:
      vault === null || settings.vault === null ? null : vaultTokenOf(vault, settings.vault, settings),
    values: valueStores(known, storeId, { settings, scrubber, vault }),
    sameValue,
    queue,
    agentNotifier,
    dispatch: dispatchFollowUps,
    clock,
    ownClock: { now: () => new Date() },
    log,
    telemetry: (await loadingTelemetry).createTelemetry({
      release: overrides.release ?? "unknown",
      pool: () => poolLevels(pool),
    }),
    budget,
    makeRandom: randomValue,
    targetKinds: new Map([...TARGET_KINDS, vaultKind(settings, scrubber)].map((kind) => [kind.kind, kind])),
    channels: createChannels(createDial({ ownListeners: () => ownListeners(settings) })),
    issuers: createIssuers({
      connect: createDial({ ownListeners: () => ownListeners(settings) }),
      allowedCommands: commandsIn(settings.commandsFile),
    }),
    prober: createServerProber({ ownListeners: () => ownListeners(settings) }),
    usageReader: createServerUsageReader({ ownListeners: () => ownListeners(settings) }),
    readHostKey: (address, signal) => fetchHostKey(address, { signal }),
    railwayExplorer: createRailwayExplorer(budget),
    hideFromLog: (credential) => scrubber.know(credential.reveal()),
    timing: { ...DEFAULT_TIMING, quietMs: settings.quietMs },
    revisionMarker: settings.revisionMarker,
    retention: settings.retention,
    freeDisk: freeDiskOf(settings),
    release: "unknown",
    processId: `${hostname()}-${process.pid}-${randomBytes(3).toString("hex")}`,
    checkpoint: async () => {},
    random: Math.random,
    ...overrides,
  };
}

/** The embedded store's files are on this machine; of another nobody here knows. */
function freeDiskOf({ database, dataDirectory }: Settings): AppContext["freeDisk"] {
  if (database !== null) return null;
  return async () => {
    // What a plain user may take: root's reserve is not for the store.
    const { bavail, bsize } = await statfs(dataDirectory);
    return bavail * bsize;
  };
}

/** What has a socket in the file system, as the embedded store, has no port. */
function ownListeners({ listenAddress, port, agents, database, redis }: Settings): readonly Listener[] {
  return [
    { host: listenAddress, port },
    ...(agents === null ? [] : [{ host: agents.address, port: agents.port }]),
    ...[database, redis].flatMap((server) =>
      server === null || server.host.startsWith("/") ? [] : [server],
    ),
    ...claimedListeners(),
  ];
}

async function openConnection(
  role: Role,
  settings: Settings,
  log: Logger,
  undo: Undo[],
): Promise<StoreConnection> {
  if (settings.database !== null) return storeConnection(settings.database);
  if (role !== "up") {
    throw new LockstepError("SETTING_INVALID", `Cannot start the role "${role}": DATABASE_URL is not set.`, {
      hint: "Set DATABASE_URL (libpq's PGHOST and the like only fill in what it leaves out), or start everything in one process with `lockstep up`.",
    });
  }
  const embedded = await startEmbeddedPostgres({ directory: join(settings.dataDirectory, "postgres"), log });
  undo.push(() => embedded.stop());
  // Otherwise PGOPTIONS would be taken, which means another Postgres.
  return { ...embedded.connection, options: " " };
}

/** Every value passes here on its way in and out of the store: from then on the log knows it. */
function knowing(sealer: Sealer, scrubber: Scrubber): Sealer {
  return {
    ...sealer,
    seal: (plain, associatedData) => {
      know(plain, scrubber);
      return sealer.seal(plain, associatedData);
    },
    open: async (sealed, associatedData) => {
      const plain = await sealer.open(sealed, associatedData);
      know(plain, scrubber);
      return plain;
    },
  };
}

/** What is sealed is JSON of named texts. */
function know(plain: string, scrubber: Scrubber): void {
  try {
    const parsed: unknown = JSON.parse(plain);
    const texts = typeof parsed === "object" && parsed !== null ? Object.values(parsed) : [];
    for (const text of texts) if (typeof text === "string") scrubber.know(text);
  } catch {
    scrubber.know(plain);
  }
}

function knowCredentials(settings: Settings, scrubber: Scrubber): void {
  for (const server of [settings.database, settings.redis]) {
    if (server?.password) scrubber.know(server.password.reveal());
  }
  const proxy = proxyCredential();
  if (proxy !== null) for (const part of [proxy, proxy.slice(proxy.indexOf(":") + 1)]) scrubber.know(part);
}

function tellOfRing(log: Logger, away: LockstepError | null): void {
  if (away === null) log.info("the key ring answers; everything goes on");
  else log.error("no key ring; what needs no value goes on", { code: away.code, reason: away.message });
}

/** Null: no server is named. Asks nobody yet. */
function vaultLine(settings: Settings, scrubber: Scrubber, undo: Undo[]): OpenVault | null {
  if (settings.vault === null) return null;
  const vault = openVault(settings.vault, {
    dataDirectory: settings.dataDirectory,
    scrubber,
    ownListeners: () => ownListeners(settings),
  });
  undo.push(async () => vault.close());
  return vault;
}

/** Values move from one to the other only by command: what is where, each version's row says. */
function valueStores(
  sealer: Sealer,
  storeId: string,
  { settings, scrubber, vault }: { settings: Settings; scrubber: Scrubber; vault: Vault | null },
): ValueStores {
  const sealed = createSealedValues(sealer);
  if (settings.vault === null || vault === null) return { wanted: sealed, sealed, named: null };
  const named = knowingValues(vaultValues(vault, settings.vault, storeId), (plain) => know(plain, scrubber));
  return { wanted: settings.valueStore === "vault" ? named : sealed, sealed, named };
}

/** Without the mark its writes are not fenced, which is said where targets are shown. */
function vaultKind(settings: Settings, scrubber: Scrubber): TargetKind {
  const lines = new VaultLines({
    connect: createDial({ ownListeners: () => ownListeners(settings) }),
    onSecret: (secret) => scrubber.know(secret.reveal()),
  });
  return createVaultKind({ revisionMarker: settings.revisionMarker, lines });
}
