/**
 * What the rest of the adapters see of a Vault or OpenBao server: calls with paths in segments, answers as they came, and
 * failures in our own words. Values, tokens and the server's texts stay in here.
 */
import type { SecretValue } from "../../core/secret-value.ts";

/** Where a server is, and who vouches for it. */
export interface VaultServer {
  /** Origin alone: `https://vault.example.com:8200`; http on loopback only. */
  readonly address: string;
  /** Null: the root namespace, and no header. */
  readonly namespace: string | null;
  /** PEM, trusted in addition to the public authorities; null: those alone. */
  readonly caCertificate: string | null;
}

/** By what a process shows who it is. Files are read anew at each log-in: others replace what is in them. */
export type VaultCredential =
  | { readonly kind: "token"; readonly token: SecretValue }
  | { readonly kind: "token-file"; readonly path: string }
  | {
      readonly kind: "approle";
      /** Of the auth method, `approle` unless told. */
      readonly mount: string;
      readonly roleId: SecretValue;
      readonly secretId:
        | { readonly kind: "plain"; readonly secretId: SecretValue }
        | { readonly kind: "file"; readonly path: string }
        /** Unwrapped once; `keep` stores what came out before it is used. */
        | {
            readonly kind: "wrapped";
            readonly token: SecretValue;
            readonly role: string;
            readonly keep: (secretId: SecretValue) => Promise<void>;
          };
    };

export type VaultMethod = "GET" | "LIST" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface VaultCall {
  readonly method: VaultMethod;
  /** Plain segments from the mount on, for example `["kv", "data", "apps", "api"]`: encoded here, and refused where the server would clean them. */
  readonly path: readonly string[];
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: Readonly<Record<string, unknown>>;
  /** A lost answer leaves it open whether something changed. */
  readonly writes: boolean;
  /** 404 for what is not there, or was deleted, is an answer; otherwise the failure `absent`. */
  readonly absentIsAnswer?: boolean;
  /** Transit's batches say by item what failed, under any status. */
  readonly batchIsAnswer?: boolean;
}

/** Any status that is an answer of Vault's own to this call and no failure: 200, 204, and 404 where `absentIsAnswer`. */
export interface VaultAnswer {
  readonly status: number;
  /** Parsed JSON, or null where there is none. Whoever reads it checks its form. */
  readonly body: unknown;
  /** As it came: numbers above 2^53 are still in it. */
  readonly text: string;
}

/** A logged-in line to one server. Safe to call concurrently. Every method throws `VaultFailure`. */
export interface Vault {
  readonly server: VaultServer;
  call(call: VaultCall, signal: AbortSignal): Promise<VaultAnswer>;
  /** What is known of the own token, asked now. */
  lookupSelf(signal: AbortSignal): Promise<OwnToken>;
}

export interface OwnToken {
  /** Null: it never ends. */
  readonly endsAt: Date | null;
  /** No renewal goes beyond; null: none, or not told. */
  readonly endsForGoodAt: Date | null;
  readonly renewable: boolean;
  readonly kind: "service" | "batch" | "periodic" | "root";
  /** 0: without limit. */
  readonly usesLeft: number;
}
