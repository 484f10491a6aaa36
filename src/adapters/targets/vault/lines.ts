/**
 * Logged-in lines, one per process for each server and credential: a log-in is dear, and some are good once. What is not
 * stored (a configuration that is only tried) has a line of its own, which ends with it.
 */
import { createHash } from "node:crypto";
import type { JsonObject } from "../../../core/ports/target.ts";
import type { TargetContext } from "../../../core/ports/target-context.ts";
import { canonicalJson } from "../../../lib/canonical-json.ts";
import { createVault, type OpenVault, type VaultOptions } from "../../vault/create-vault.ts";
import { createKv } from "../../vault/kv.ts";
import { placeOf, type VaultConfig } from "./config.ts";
import { assertKept, credentialOf } from "./credential.ts";
import type { VaultLine } from "./place.ts";

/** More servers and credentials than that are used by nobody at once; the one that was used longest ago ends. */
const MAX_LINES = 100;

/** What every line of a process is given. */
export type LineOptions = Pick<VaultOptions, "connect" | "onSecret">;

export class VaultLines {
  readonly #options: LineOptions;
  readonly #lines = new Map<string, VaultLine & { readonly vault: OpenVault }>();

  constructor(options: LineOptions = {}) {
    this.#options = options;
  }

  /** Asks nobody yet. Throws TARGET_CREDENTIAL_REJECTED, UNSUPPORTED. `end`: to be called when the target is closed. */
  lineTo(
    config: VaultConfig,
    credentials: JsonObject | null,
    context: Pick<TargetContext, "targetName" | "keepCredentials">,
  ): VaultLine & { end(): void } {
    const credential = credentialOf(config, credentials, context);
    assertKept(credential, context);
    const id = idOf(config, credentials);
    const { address, namespace, caCertificate, requestTimeoutMs } = config;
    const make = () => {
      const server = { address, namespace, caCertificate };
      const vault = createVault({ ...this.#options, server, credential, requestTimeoutMs });
      return { id, vault, kv: createKv(vault) };
    };
    if (context.keepCredentials === undefined) {
      const own = make();
      return { ...own, end: () => own.vault.close() };
    }
    const line = this.#lines.get(id) ?? make();
    this.#keep(id, line);
    return { ...line, end: () => undefined };
  }

  #keep(id: string, line: VaultLine & { readonly vault: OpenVault }): void {
    this.#lines.delete(id);
    this.#lines.set(id, line);
    const [oldest] = this.#lines.keys();
    if (this.#lines.size <= MAX_LINES || oldest === undefined) return;
    this.#lines.get(oldest)?.vault.close();
    this.#lines.delete(oldest);
  }

  /** For a process's end. */
  close(): void {
    for (const { vault } of this.#lines.values()) vault.close();
    this.#lines.clear();
  }
}

/** A digest: whoever reads it learns nothing of the credential. */
function idOf(config: VaultConfig, credentials: JsonObject | null): string {
  const { address, namespace, caCertificate, login, requestTimeoutMs } = config;
  const parts = [address, namespace, caCertificate, login, requestTimeoutMs, credentials];
  // What was unwrapped for one target is kept for that one alone.
  const of = credentials?.["wrappedSecretId"] === undefined ? null : placeOf(config);
  return createHash("sha256")
    .update(canonicalJson([...parts, of] as never))
    .digest("base64url");
}
