/** The things of the simulated platform. Only the modules of this folder change them. */
import type { ReplicaProcess } from "../processes.ts";
import type { VariableStore } from "./variable-store.ts";

export interface Workspace {
  readonly id: string;
  readonly name: string;
  requiresTwoFactor: boolean;
}

export interface Project {
  readonly id: string;
  readonly name: string;
  readonly workspaceId: string;
  readonly createdAt: Date;
  deletedAt: Date | null;
  /** Pull requests get environments of their own: copies of the base. */
  prDeploys: boolean;
  botPrEnvironments: boolean;
  /** Null: the primary one. */
  baseEnvironmentId: string | null;
}

type PatchStatus = "STAGED" | "APPLYING" | "COMMITTED";

export interface Patch {
  readonly id: string;
  readonly environmentId: string;
  readonly createdAt: Date;
  updatedAt: Date;
  appliedAt: Date | null;
  status: PatchStatus;
  message: string | null;
  lastAppliedError: string | null;
  content: EnvironmentConfigPatch;
}

export interface Environment {
  readonly id: string;
  readonly name: string;
  readonly projectId: string;
  readonly isEphemeral: boolean;
  readonly createdAt: Date;
  readonly variables: VariableStore;
  canAccess: boolean;
  updatedAt: Date;
  deletedAt: Date | null;
  staged: Patch;
  /** Committed ones, oldest first. */
  readonly patches: Patch[];
}

export interface Service {
  readonly id: string;
  readonly projectId: string;
  readonly createdAt: Date;
  name: string;
  deletedAt: Date | null;
}

/** What may be changed of a service instance; `null` is "not set", as on the platform. */
export interface ServiceSettings {
  readonly numReplicas: number;
  readonly cronSchedule: string | null;
  readonly sleepApplication: boolean;
  readonly source: { readonly image: string | null; readonly repo: string | null } | null;
  readonly overlapSeconds: number | null;
  readonly drainingSeconds: number | null;
  readonly healthcheckPath: string | null;
  readonly healthcheckTimeout: number | null;
  readonly startCommand: string | null;
  readonly url: string | null;
}

export interface ServiceInstance {
  readonly id: string;
  readonly service: Service;
  readonly environment: Environment;
  readonly createdAt: Date;
  updatedAt: Date;
  settings: ServiceSettings;
  /** Oldest first. */
  readonly deployments: Deployment[];
}

export type DeploymentStatus =
  | "BUILDING"
  | "CRASHED"
  | "DEPLOYING"
  | "FAILED"
  | "INITIALIZING"
  | "NEEDS_APPROVAL"
  | "QUEUED"
  | "REMOVED"
  | "REMOVING"
  | "SKIPPED"
  | "SLEEPING"
  | "SUCCESS"
  | "WAITING";

export type ReplicaStatus =
  | "CRASHED"
  | "CREATED"
  | "EXITED"
  | "INITIALIZING"
  | "REMOVED"
  | "REMOVING"
  | "RESTARTING"
  | "RUNNING"
  | "SKIPPED"
  | "STOPPED";

export interface Replica {
  readonly id: string;
  status: ReplicaStatus;
  process: ReplicaProcess | null;
}

export interface SnapshotVariable {
  /** As written. */
  readonly value: string;
  /** References resolved, sealed values opened: what the process gets. */
  readonly rendered: string;
  readonly sealed: boolean;
}

export interface Snapshot {
  readonly id: string;
  readonly createdAt: Date;
  readonly variables: ReadonlyMap<string, SnapshotVariable>;
}

export interface Deployment {
  readonly id: string;
  readonly instance: ServiceInstance;
  readonly createdAt: Date;
  /** What asked for it: an operation's name, or "person". */
  readonly cause: string;
  /** Taken when the deployment began; shown as `snapshotId` only once it was built. */
  readonly snapshot: Snapshot;
  readonly source: ServiceSettings["source"];
  status: DeploymentStatus;
  statusUpdatedAt: Date;
  built: boolean;
  replicas: Replica[];
}

/** The parts of Railway's `EnvironmentConfig` that concern variables; anything else in it is carried, not obeyed. */
export interface EnvironmentConfigPatch {
  readonly services?: Readonly<Record<string, { readonly variables?: VariablePatches }>>;
  readonly sharedVariables?: VariablePatches;
}

/** null deletes. */
export type VariablePatches = Readonly<Record<string, VariablePatch | null>>;

export interface VariablePatch {
  readonly value?: string | null;
  readonly isSealed?: boolean;
}

export type TokenKind = "account" | "workspace" | "project";

export interface Token {
  readonly id: string;
  readonly kind: TokenKind;
  readonly name: string;
  readonly text: string;
  readonly createdAt: Date;
  /** Account tokens reach every workspace. */
  readonly workspaceId: string | null;
  readonly projectId: string | null;
  readonly environmentId: string | null;
  /** Overrides the simulator's limit for this token. */
  readonly limit: number | null;
  revoked: boolean;
}
