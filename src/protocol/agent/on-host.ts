/** What the agent's program tells a person on its own machine: the documents of `lockstep agent …` there. */

export interface EnrolledAgent {
  readonly agentId: string;
  readonly target: string;
  readonly environment: string;
  /** The server's agents' listener. */
  readonly url: string;
  /** The signing key's JWK thumbprint, by which `lockstep agent list` names this machine. */
  readonly keyFingerprint: string;
  readonly stateDirectory: string;
  readonly policyFile: string;
  /** What the target needs; null: the machine has a policy already, or the server does not say. */
  readonly policyDraft: string | null;
}

export interface AgentStatus {
  readonly agentId: string;
  readonly target: string;
  readonly environment: string;
  readonly keyFingerprint: string;
  readonly stateDirectory: string;
  readonly policyFile: string;
  /** Null: it does not run. */
  readonly pid: number | null;
  /** Each service that `agent install` wrote here, and the files that it names and that are gone. */
  readonly services: readonly { readonly path: string; readonly missing: readonly string[] }[];
  readonly server: {
    readonly url: string;
    readonly reachable: boolean;
    readonly reason: string | null;
    readonly lastContactAt: string | null;
    readonly revokedAt: string | null;
  };
  /** Null: nothing was fetched yet, or what is kept cannot be used. */
  readonly cache: {
    readonly epoch: number;
    readonly generation: number;
    readonly receivedAt: string;
    readonly ageSeconds: number;
  } | null;
  /** The last look. */
  readonly keys: readonly AgentKey[];
  readonly unit: { readonly key: string; readonly state: string; readonly error: string | null } | null;
  readonly refused: readonly { readonly what: string; readonly reason: string; readonly add: string }[];
  /** Not yet told to the server. */
  readonly incidents: readonly { readonly at: string; readonly code: string; readonly message: string }[];
}

export interface AgentKey {
  /** Empty: the environment of a program of `lockstep run`. */
  readonly placement: string;
  readonly key: string;
  readonly secret: string | null;
  readonly version: number | null;
  readonly found: "version" | "unknown" | "absent" | "unreadable";
  readonly foundVersion: number | null;
  readonly inSync: boolean;
  readonly reason: string | null;
}

export interface InstalledService {
  /** The unit's or job's file. */
  readonly path: string;
  readonly content: string;
  /** What the person who installs should know. */
  readonly remarks: readonly string[];
}

export interface UpgradedProgram {
  /** `current`: the server offers what stands here already. */
  readonly state: "current" | "replaced";
  /** Releases. */
  readonly from: string;
  readonly to: string;
  /** Of the program that stands here now; lower-case hex. */
  readonly sha256: string;
  /** False: nothing of ours supervises the program, so it must be started anew by hand. */
  readonly restarted: boolean;
}
