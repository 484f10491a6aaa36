/** Tokens of all kinds, their lives and their ends. */
import { randomBytes } from "node:crypto";
import type { VaultClock } from "../clock.ts";
import type { Features } from "../modes.ts";
import { humanDuration } from "../wire/fields.ts";
import { Refused, wrapped } from "../wire/reply.ts";

export const MOUNT_MAX_SECONDS = 768 * 3600;

export interface Token {
  readonly id: string;
  /** Empty for batch tokens. */
  readonly accessor: string;
  readonly kind: "service" | "batch";
  readonly policies: readonly string[];
  /** Namespace's path, `""` or ending in `/`. */
  readonly namespace: string;
  readonly createdMs: number;
  /** Null: it never ends (root). */
  expiresMs: number | null;
  readonly creationTtlSeconds: number;
  readonly periodSeconds: number;
  readonly explicitMaxSeconds: number;
  /** Of the role that it came from, or 0. */
  readonly roleMaxSeconds: number;
  readonly renewable: boolean;
  readonly orphan: boolean;
  readonly parent: string | null;
  readonly path: string;
  readonly displayName: string;
  readonly meta: Readonly<Record<string, string>> | null;
  /** 0: without limit; -1: its last use is under way. */
  usesLeft: number;
  /** Null, or what made it: an AppRole that must still exist at renewal. */
  readonly role: { readonly mount: string; readonly name: string } | null;
  lastRenewalMs: number | null;
  /** So many calls do not know it yet. */
  unknownFor: number;
}

export type TokenWish = Partial<
  Pick<
    Token,
    | "kind"
    | "namespace"
    | "periodSeconds"
    | "explicitMaxSeconds"
    | "roleMaxSeconds"
    | "renewable"
    | "orphan"
    | "parent"
    | "displayName"
    | "meta"
    | "usesLeft"
    | "role"
  >
> & {
  readonly id?: string | undefined;
  readonly ttlSeconds?: number | undefined;
  readonly path: string;
  readonly policies: readonly string[];
};

export class TokenStore {
  readonly #features: Features;
  readonly #clock: VaultClock;
  readonly #tokens = new Map<string, Token>();
  /** For the tokens that are issued from now on. */
  unknownFor = 0;

  constructor(features: Features, clock: VaultClock) {
    this.#features = features;
    this.#clock = clock;
  }

  nowMs(): number {
    return this.#clock.now().getTime();
  }

  /** `ttlSeconds` left out: the mount's default, capped. Root without it never ends. */
  issue(wish: TokenWish): { readonly token: Token; readonly warnings: readonly string[] } {
    const kind = wish.kind ?? "service";
    const isRoot = wish.policies.includes("root");
    const nowMs = this.nowMs();
    const limits = {
      periodSeconds: wish.periodSeconds ?? 0,
      explicitMaxSeconds: wish.explicitMaxSeconds ?? 0,
      roleMaxSeconds: wish.roleMaxSeconds ?? 0,
    };
    const endless = isRoot && wish.ttlSeconds === undefined && limits.periodSeconds === 0;
    const { seconds, warnings } = endless
      ? { seconds: 0, warnings: [] }
      : granted({ createdMs: nowMs, ...limits }, wish.ttlSeconds ?? MOUNT_MAX_SECONDS, nowMs);
    const prefix = kind === "batch" ? this.#features.batchTokenPrefix : this.#features.serviceTokenPrefix;
    const token: Token = {
      id: wish.id ?? prefix + randomBytes(kind === "batch" ? 72 : 18).toString("base64url"),
      accessor: kind === "batch" ? "" : randomBytes(18).toString("base64url"),
      kind,
      policies: [...wish.policies].sort(),
      namespace: wish.namespace ?? "",
      createdMs: nowMs,
      expiresMs: endless ? null : nowMs + seconds * 1000,
      creationTtlSeconds: seconds,
      ...limits,
      renewable: kind === "service" && !endless && (wish.renewable ?? true),
      orphan: wish.orphan ?? false,
      parent: wish.parent ?? null,
      path: wish.path,
      displayName: wish.displayName ?? "token",
      meta: wish.meta ?? null,
      usesLeft: wish.usesLeft ?? 0,
      role: wish.role ?? null,
      lastRenewalMs: null,
      unknownFor: this.unknownFor,
    };
    this.#tokens.set(token.id, token);
    return { token, warnings };
  }

  /** A living token, or null. Looking is no use. */
  find(id: string): Token | null {
    const token = this.#tokens.get(id);
    if (token === undefined) return null;
    if (token.expiresMs !== null && token.expiresMs <= this.nowMs()) {
      this.revoke(id);
      return null;
    }
    return token;
  }

  findByAccessor(accessor: string): Token | null {
    const found = [...this.#tokens.values()].find((token) => accessor !== "" && token.accessor === accessor);
    return found === undefined ? null : this.find(found.id);
  }

  /** Its children end with it, unless they are orphans. */
  revoke(id: string): void {
    this.#tokens.delete(id);
    for (const child of [...this.#tokens.values()]) if (child.parent === id) this.revoke(child.id);
  }

  revokeAllOf(namespace: string): void {
    for (const token of [...this.#tokens.values()]) if (token.namespace === namespace) this.revoke(token.id);
  }

  ttlSeconds(token: Token): number {
    return token.expiresMs === null ? 0 : Math.max(0, Math.floor((token.expiresMs - this.nowMs()) / 1000));
  }

  /** Throws Refused. The seconds that were granted. */
  renew(token: Token, increment: number): { readonly seconds: number; readonly warnings: readonly string[] } {
    if (token.kind === "batch") throw new Refused(400, "batch tokens cannot be renewed");
    if (token.expiresMs === null) throw new Refused(400, "invalid lease ID");
    if (!token.renewable) throw new Refused(400, "lease is not renewable");
    const nowMs = this.nowMs();
    const result = granted(token, increment > 0 ? increment : token.creationTtlSeconds, nowMs);
    token.expiresMs = nowMs + result.seconds * 1000;
    token.lastRenewalMs = nowMs;
    return result;
  }
}

/** As `CalculateTTL` of the framework. */
function granted(
  token: Pick<Token, "createdMs" | "periodSeconds" | "explicitMaxSeconds" | "roleMaxSeconds">,
  wantedSeconds: number,
  nowMs: number,
): { readonly seconds: number; readonly warnings: readonly string[] } {
  const limits = [MOUNT_MAX_SECONDS, token.roleMaxSeconds, token.explicitMaxSeconds].filter(
    (limit) => limit > 0,
  );
  const maxSeconds = Math.min(...limits);
  const warnings: string[] = [];
  let seconds = wantedSeconds;
  let left = maxSeconds - (Math.floor(nowMs / 1000) - Math.floor(token.createdMs / 1000));
  if (token.periodSeconds > 0) {
    seconds = token.periodSeconds;
    if (seconds > maxSeconds) {
      warnings.push(
        `period of "${humanDuration(seconds)}" exceeded the effective max_ttl of "${humanDuration(maxSeconds)}"; period value is capped accordingly`,
      );
      seconds = maxSeconds;
    }
    if (token.explicitMaxSeconds === 0) left = Number.POSITIVE_INFINITY;
  }
  if (left <= 0) throw new Refused(500, wrapped("past the max TTL, cannot renew"));
  if (seconds <= left) return { seconds, warnings };
  warnings.push(
    `TTL of "${humanDuration(seconds)}" exceeded the effective max_ttl of "${humanDuration(left)}"; TTL value is capped accordingly`,
  );
  return { seconds: left, warnings };
}
