/** What `init` was told: by options, or by a person. No value and no credential: only where one is to be found. */
import type { z } from "zod";
import type { role } from "../../../protocol/api-parts.ts";

export type Role = z.output<typeof role>;

export interface SecretAnswers {
  readonly name: string;
  /** A new value, or the one that is in use somewhere. */
  readonly value: "generate" | "import";
}

export interface PlaceAnswers {
  /** The target's name in lockstep.yaml. */
  readonly target: string;
  readonly role: Role;
}

export interface RailwayAnswers extends PlaceAnswers {
  readonly kind: "railway";
  readonly project: string;
  readonly environment: string;
  readonly service: string;
  /** Null: Railway's own. */
  readonly endpoint: string | null;
  /** For the comment; null when nobody looked. */
  readonly names: { readonly project: string; readonly environment: string; readonly service: string } | null;
}

export interface FileAnswers {
  readonly path: string;
  readonly format: string;
  /** What restarts afterwards. */
  readonly unit: { readonly manager: "systemd" | "launchd"; readonly name: string } | null;
}

export interface HostAnswers extends PlaceAnswers, FileAnswers {
  readonly kind: "ssh";
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly hostKey: string;
  /** As `${file:…}` names it. */
  readonly keyFile: string;
  /** The key is encrypted; its passphrase comes from `PASSPHRASE_VARIABLE`. */
  readonly withPassphrase: boolean;
}

export interface AgentAnswers extends PlaceAnswers, FileAnswers {
  readonly kind: "agent";
}

export interface VaultAnswers extends PlaceAnswers {
  readonly kind: "vault";
  readonly address: string;
  readonly mount: string;
  readonly path: string;
  /** Null: the root one. */
  readonly namespace: string | null;
}

export type TargetAnswers = RailwayAnswers | HostAnswers | AgentAnswers | VaultAnswers;

export interface Answers {
  readonly environment: string;
  readonly secret: SecretAnswers;
  readonly targets: readonly TargetAnswers[];
}

export const TOKEN_VARIABLE = "RAILWAY_TOKEN";
export const VAULT_TOKEN_VARIABLE = "VAULT_TOKEN";
export const PASSPHRASE_VARIABLE = "SSH_KEY_PASSPHRASE";
