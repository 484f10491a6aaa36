/**
 * Logged-in lines, one per process for each server and credential: a log-in is dear, and some are good once. What is not
 * stored (a configuration that is only tried) has a line of its own, which ends with it.
 */
import { createHash } from "node:crypto";
import type { JsonObject } from "../../../../core/json.ts";
import type { TargetContext } from "../../../../core/ports/target-context.ts";
import { canonicalJson } from "../../../../lib/canonical-json.ts";
import { createVault, type OpenVault, type VaultOptions } from "../../../vault/create-vault.ts";
import { createKv } from "../../../vault/kv.ts";
import { placeOf, type VaultConfig } from "../config.ts";
import type { VaultLine } from "../secret/place.ts";
import { assertKept, credentialOf } from "./credential.ts";

/**
 * Beyond that the one that nobody has used for longest ends. Far more than are usual: places that are looked at in turn
 * would otherwise log in anew for each look, and what the server issued for the last one stays there until it ends.
 */
const MAX_LINES = 2_000;

/** What every line of a process is given. */
export type LineOptions = Pick<VaultOptions, "connect" | "onSecret">;

interface Kept {
  readonly line: VaultLine & { readonly vault: OpenVault };
  users: number;
}

export class VaultLines {
  readonly #options: LineOptions;
  readonly #maxLines: number;
  /** Used last stands last. */
  readonly #lines = new Map<string, Kept>();

  constructor(options: LineOptions = {}, maxLines = MAX_LINES) {
    this.#options = options;
    this.#maxLines = maxLines;
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
    const kept = this.#lines.get(id) ?? { line: make(), users: 0 };
    kept.users += 1;
    this.#lines.delete(id);
    this.#lines.set(id, kept);
    this.#endUnused();
    let isEnded = false;
    const end = () => {
      if (isEnded) return;
      isEnded = true;
      kept.users -= 1;
      this.#endUnused();
    };
    return { ...kept.line, end };
  }

  /** What is at work is left: a write would lose its answer, and a secret id that is good once its log-in. */
  #endUnused(): void {
    for (const [id, { line, users }] of this.#lines) {
      if (this.#lines.size <= this.#maxLines) return;
      if (users > 0) continue;
      line.vault.close();
      this.#lines.delete(id);
    }
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
