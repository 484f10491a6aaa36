/**
 * The seam to real processes: whoever starts a simulator may run something for each replica of a deployment. The
 * simulator then lets the process decide: ready means SUCCESS, an early end FAILED, a later one CRASHED.
 */
export interface ReplicaStart {
  readonly service: { readonly id: string; readonly name: string };
  readonly environmentId: string;
  readonly deploymentId: string;
  /** 0-based. */
  readonly replica: number;
  /** Rendered, sealed values and the provided RAILWAY_ names included: a process's initial environment. */
  readonly variables: Readonly<Record<string, string>>;
}

export interface ReplicaProcess {
  /** Resolves when it serves; a rejection fails the deployment. Default: at once. */
  readonly ready?: Promise<unknown>;
  /** Resolves with the exit code (null: a signal) when the process ends. */
  readonly exited?: Promise<number | null>;
  /** Asked once, when the replica is drained, replaced, restarted, or the simulator closes. */
  stop(): void | Promise<void>;
}

export type ProcessStarter = (
  start: ReplicaStart,
) => ReplicaProcess | undefined | Promise<ReplicaProcess | undefined>;
