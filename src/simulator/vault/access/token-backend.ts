/** `auth/token/`: what tokens do about themselves and others. */

import type { Features } from "../modes.ts";
import { Backend, type EngineRequest } from "../wire/backend.ts";
import { boolField, intField, listField, mapField, secondsField, textField } from "../wire/fields.ts";
import { type Json, Refused, type Reply } from "../wire/reply.ts";
import type { Token, TokenStore } from "./tokens.ts";

export interface TokenBackendNeeds {
  readonly tokens: TokenStore;
  readonly features: Features;
  /** Whether a token's role still exists. */
  readonly roleExists: (token: Token) => boolean;
}

/** As logins, creations and renewals answer it. */
export function authOf(token: Token, seconds: number): Json {
  return {
    client_token: token.id,
    accessor: token.accessor,
    policies: token.policies,
    token_policies: token.policies,
    metadata: token.meta,
    lease_duration: seconds,
    renewable: token.renewable,
    entity_id: "",
    token_type: token.kind,
    orphan: token.orphan,
    mfa_requirement: null,
    num_uses: Math.max(0, token.usesLeft),
  };
}

export function tokenBackend(needs: TokenBackendNeeds): Backend {
  const { tokens, features } = needs;
  const own = (request: EngineRequest): Token => {
    const token = tokens.find(request.caller?.token ?? "");
    if (token === null) throw new Refused(403, "permission denied");
    return token;
  };
  const named = (request: EngineRequest): Token => {
    const id = textField(request.data, "token") ?? "";
    if (id === "") throw new Refused(400, "missing token ID");
    const token = tokens.find(id);
    if (token === null) throw new Refused(403, "bad token");
    return token;
  };
  const revoke = (token: Token): null => {
    if (token.kind === "batch") throw new Refused(400, "batch tokens cannot be revoked");
    tokens.revoke(token.id);
    return null;
  };
  const create = (orphan: boolean) => (request: EngineRequest) =>
    createToken(needs, own(request), request, orphan);
  const createFields = [
    "id",
    "policies",
    "ttl",
    "explicit_max_ttl",
    "period",
    "renewable",
    "num_uses",
    "type",
    "no_parent",
    "no_default_policy",
    "display_name",
    "meta",
    "entity_alias",
    "lease",
  ];
  return new Backend(
    [
      { pattern: /^create$/, fields: createFields, update: create(false) },
      { pattern: /^create-orphan$/, fields: createFields, update: create(true) },
      {
        pattern: /^lookup-self$/,
        fields: ["token"],
        read: (request) => ({ data: lookup(tokens, own(request)) }),
        update: (request) => ({ data: lookup(tokens, own(request)) }),
      },
      {
        pattern: /^lookup$/,
        fields: ["token"],
        update: (request) => ({ data: lookup(tokens, named(request)) }),
      },
      {
        pattern: /^renew-self$/,
        fields: ["token", "increment"],
        update: (request) => renew(needs, own(request), request),
      },
      {
        pattern: /^renew$/,
        fields: ["token", "increment"],
        update: (request) => renew(needs, named(request), request),
      },
      { pattern: /^revoke-self$/, update: (request) => revoke(own(request)) },
      { pattern: /^revoke$/, fields: ["token"], update: (request) => revoke(named(request)) },
      {
        pattern: /^revoke-accessor$/,
        fields: ["accessor"],
        update: (request) => {
          const token = tokens.findByAccessor(textField(request.data, "accessor") ?? "");
          if (token === null) throw new Refused(400, "invalid accessor");
          return revoke(token);
        },
      },
    ],
    features,
  );
}

function lookup(tokens: TokenStore, token: Token): Json {
  // The last use makes the token one that is about to go.
  if (token.usesLeft < 0) throw new Refused(403, "bad token");
  const iso = (ms: number) => new Date(ms).toISOString();
  const unix = (ms: number) => Math.floor(ms / 1000);
  return {
    accessor: token.accessor,
    creation_time: unix(token.createdMs),
    creation_ttl: token.creationTtlSeconds,
    display_name: token.displayName,
    entity_id: "",
    expire_time: token.expiresMs === null ? null : iso(token.expiresMs),
    explicit_max_ttl: token.explicitMaxSeconds,
    id: token.id,
    meta: token.meta,
    num_uses: token.usesLeft,
    orphan: token.orphan,
    path: token.path,
    policies: token.policies,
    ttl: tokens.ttlSeconds(token),
    type: token.kind,
    ...(token.expiresMs === null ? {} : { issue_time: iso(token.createdMs), renewable: token.renewable }),
    ...(token.periodSeconds > 0 ? { period: token.periodSeconds } : {}),
    ...(token.namespace === "" ? {} : { namespace_path: token.namespace }),
    ...(token.lastRenewalMs === null
      ? {}
      : { last_renewal: iso(token.lastRenewalMs), last_renewal_time: unix(token.lastRenewalMs) }),
  };
}

function renew(needs: TokenBackendNeeds, token: Token, { data }: EngineRequest): Reply {
  if (token.role !== null && token.kind === "service" && !needs.roleExists(token))
    throw new Refused(
      500,
      `1 error occurred:\n\t* failed to renew entry: role "${token.role.name}" does not exist during renewal\n\n`,
    );
  const { seconds, warnings } = needs.tokens.renew(token, secondsField(data, "increment") ?? 0);
  return { auth: authOf(token, seconds), warnings };
}

function createToken(
  { tokens }: TokenBackendNeeds,
  parent: Token,
  { data }: EngineRequest,
  orphanPath: boolean,
): Reply {
  const isRoot = parent.policies.includes("root");
  if (parent.usesLeft !== 0) throw new Refused(400, "restricted use token cannot generate child tokens");
  if (parent.kind === "batch") throw new Refused(400, "batch tokens cannot create more tokens");
  const type = textField(data, "type") ?? "service";
  if (type !== "service" && type !== "batch") throw new Refused(400, `invalid 'type' value "${type}"`);
  const noParent = boolField(data, "no_parent") ?? false;
  const periodSeconds = secondsField(data, "period") ?? 0;
  if (periodSeconds > 0 && !isRoot)
    throw new Refused(400, "root or sudo privileges required to create periodic token");
  if (noParent && !orphanPath && !isRoot)
    throw new Refused(400, "root or sudo privileges required to create orphan token");
  const id = textField(data, "id");
  if (id !== undefined && !isRoot)
    throw new Refused(400, "root or sudo privileges required to specify token id");
  const usesLeft = intField(data, "num_uses") ?? 0;
  const explicitMaxSeconds = secondsField(data, "explicit_max_ttl") ?? 0;
  if (type === "batch") {
    const faults: string[] = [];
    if (usesLeft !== 0) faults.push(`batch tokens cannot have "num_uses" set`);
    if (explicitMaxSeconds !== 0) faults.push(`batch tokens cannot have an explicit max TTL`);
    if (periodSeconds !== 0) faults.push("batch tokens cannot have a period");
    if (faults[0] !== undefined) throw new Refused(400, faults[0]);
  }
  const { token, warnings } = tokens.issue({
    id,
    kind: type,
    policies: childPolicies(
      parent,
      listField(data, "policies"),
      boolField(data, "no_default_policy") ?? false,
    ),
    namespace: parent.namespace,
    ttlSeconds: secondsField(data, "ttl") || undefined,
    periodSeconds,
    explicitMaxSeconds,
    renewable: boolField(data, "renewable") ?? true,
    orphan: orphanPath || noParent,
    parent: orphanPath || noParent ? null : parent.id,
    path: orphanPath ? "auth/token/create-orphan" : "auth/token/create",
    displayName: ["token", textField(data, "display_name")].filter(Boolean).join("-"),
    meta: mapField(data, "meta") === undefined ? null : (mapField(data, "meta") as Record<string, string>),
    usesLeft,
  });
  return { auth: authOf(token, token.creationTtlSeconds), warnings };
}

function childPolicies(
  parent: Token,
  wanted: readonly string[] | undefined,
  noDefault: boolean,
): readonly string[] {
  if (wanted === undefined || wanted.length === 0) return parent.policies;
  const lower = wanted.map((policy) => policy.toLowerCase());
  const isRoot = parent.policies.includes("root");
  if (lower.includes("root")) {
    if (!isRoot) throw new Refused(400, "root tokens may not be created without parent token being root");
    return ["root"];
  }
  if (!isRoot && lower.some((policy) => policy !== "default" && !parent.policies.includes(policy)))
    throw new Refused(400, "child policies must be subset of parent");
  return [...new Set(noDefault ? lower : [...lower, "default"])];
}
