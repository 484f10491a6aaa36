/** What a simulator can be told when it starts. Where Railway's behaviour is not documented, both answers exist. */
import type { SimulatorClock } from "./clock.ts";
import type { ProcessStarter } from "./processes.ts";

/** Time spent in each state, in ms of the simulator's clock. */
export interface DeploymentDurations {
  readonly initializingMs: number;
  readonly buildingMs: number;
  readonly deployingMs: number;
  /** A service that may sleep falls asleep this long after SUCCESS. */
  readonly sleepAfterMs: number;
  readonly restartingMs: number;
  /** What one second of `overlapSeconds` and `drainingSeconds` lasts. Default 1000: shorten it for tests. */
  readonly secondMs: number;
  /** A committed patch stays APPLYING this long. */
  readonly applyingMs: number;
}

export interface RateLimitOptions {
  /** Requests of one token in one window. Default 10,000 (Pro). */
  readonly limit: number;
  /** Default one hour. */
  readonly windowMs: number;
  /** Requests of one token in any second; null: not enforced (default). Railway: 10 (Hobby), 50 (Pro). */
  readonly perSecond: number | null;
  /** Form of `X-RateLimit-Reset`, which is not documented. Default seconds since the epoch. */
  readonly resetFormat: "epoch-seconds" | "iso-date";
}

/** Answers to what Railway leaves open. The default is the one that a careful client finds harder. */
export interface SimulatorBehaviour {
  /** Whether `variableDelete` starts a deployment by itself. Default true. */
  readonly deleteStartsDeployment: boolean;
  /** Deleting a name that is not there. Default an error. */
  readonly deleteMissing: "error" | "ok";
  /** Empty strings in writes. Default stored as they are. */
  readonly emptyStrings: "store" | "drop";
  /** Whether values in `deploymentSnapshot` have their references resolved. Default "rendered". */
  readonly snapshotForm: "rendered" | "unrendered";
  /** Sealed values in `deploymentSnapshot`. Default null. */
  readonly sealedInSnapshot: "null" | "absent" | "value";
  /** Whether `configEtag` moves with each variable write. Default true. */
  readonly etagFollowsVariables: boolean;
  /** Whether the top-level `deployments` query is open to project tokens (sources disagree). Default false. */
  readonly projectTokenListsDeployments: boolean;
  /** Whether a deployment that drains is listed as active. Default true. */
  readonly drainingIsActive: boolean;
  /** Deployments that one service may start within a window; null: not enforced (default). */
  readonly deploymentThrottle: { readonly max: number; readonly windowMs: number } | null;
  /** The longest page of a connection. Default 500. */
  readonly maxPageSize: number;
}

export interface Defaults {
  readonly workspaceId: string;
  readonly projectId: string;
  readonly environmentId: string;
  readonly accountToken: string;
  readonly workspaceToken: string;
  /** Of the default environment. */
  readonly projectToken: string;
}

export interface SimulatorOptions {
  /** Default 127.0.0.1; only loopback is meant. */
  readonly host?: string;
  /** Default: any free port. */
  readonly port?: number;
  readonly clock?: SimulatorClock;
  /** Ids and tokens of what exists from the start; the rest is random. */
  readonly defaults?: Partial<Defaults>;
  readonly durations?: Partial<DeploymentDurations>;
  readonly rateLimit?: Partial<RateLimitOptions>;
  readonly behaviour?: Partial<SimulatorBehaviour>;
  /** Called for each replica of a deployment that starts, with the variables its process gets. */
  readonly onDeploymentStarted?: ProcessStarter;
}

export const DEFAULT_DURATIONS: DeploymentDurations = {
  initializingMs: 200,
  buildingMs: 800,
  deployingMs: 500,
  sleepAfterMs: 1_000,
  restartingMs: 200,
  secondMs: 1_000,
  applyingMs: 50,
};

/** For tests that are not about time: every state is passed through, as fast as the event loop turns. */
export const INSTANT: DeploymentDurations = {
  initializingMs: 0,
  buildingMs: 0,
  deployingMs: 0,
  sleepAfterMs: 0,
  restartingMs: 0,
  secondMs: 0,
  applyingMs: 0,
};

export const DEFAULT_RATE_LIMIT: RateLimitOptions = {
  limit: 10_000,
  windowMs: 3_600_000,
  perSecond: null,
  resetFormat: "epoch-seconds",
};

export const DEFAULT_BEHAVIOUR: SimulatorBehaviour = {
  deleteStartsDeployment: true,
  deleteMissing: "error",
  emptyStrings: "store",
  snapshotForm: "rendered",
  sealedInSnapshot: "null",
  etagFollowsVariables: true,
  projectTokenListsDeployments: false,
  drainingIsActive: true,
  deploymentThrottle: null,
  maxPageSize: 500,
};
