/** Forms of what the server says about tokens, and what follows from them for a token's life. */
import { z } from "zod";
import { SecretValue } from "../../core/secret-value.ts";
import { VaultFailure } from "./failure.ts";
import type { OwnToken } from "./vault.ts";

/** What the process holds, and for how long. */
export interface Grant {
  readonly token: SecretValue;
  /** As granted last; null: it never ends, or that is not told. */
  readonly lifeMs: number | null;
  readonly grantedAtMs: number;
  readonly renewable: boolean;
  /** Null: not told. */
  readonly madeAtMs: number | null;
  /** No renewal goes beyond; null: none known. */
  readonly endsForGoodAtMs: number | null;
  readonly kind: OwnToken["kind"];
  /** 0: without limit. */
  readonly usesLeft: number;
}

const seconds = z.number().nonnegative().finite();

const auth = z.object({
  client_token: z.string().min(1),
  lease_duration: seconds,
  renewable: z.boolean().nullish(),
  token_type: z.string().nullish(),
  num_uses: z.number().int().nonnegative().nullish(),
});
const withAuth = z.object({ auth });

const lookup = z.object({
  data: z.object({
    ttl: seconds,
    creation_ttl: seconds.nullish(),
    creation_time: seconds.nullish(),
    expire_time: z.string().nullish(),
    explicit_max_ttl: seconds.nullish(),
    period: z.union([seconds, z.string()]).nullish(),
    renewable: z.boolean().nullish(),
    num_uses: z.number().int().nonnegative().nullish(),
    type: z.string().nullish(),
    policies: z.array(z.string()).nullish(),
  }),
});

/** Of a log-in or a renewal. Throws VaultFailure for anything else. */
export function grantOf(body: unknown, nowMs: number): Grant {
  const read = withAuth.safeParse(body);
  if (!read.success) throw new VaultFailure("protocol", "it answered a log-in or a renewal without a token");
  const { client_token, lease_duration, renewable, token_type, num_uses } = read.data.auth;
  const isRenewable = renewable === true && token_type !== "batch" && lease_duration > 0;
  return {
    token: tokenOf(client_token),
    lifeMs: lease_duration === 0 ? null : lease_duration * 1_000,
    grantedAtMs: nowMs,
    renewable: isRenewable,
    madeAtMs: nowMs,
    endsForGoodAtMs: isRenewable || lease_duration === 0 ? null : nowMs + lease_duration * 1_000,
    kind: token_type === "batch" ? "batch" : "service",
    usesLeft: num_uses ?? 0,
  };
}

/** Of `lookup-self`. */
export function grantOfLookup(token: SecretValue, body: unknown, nowMs: number): Grant {
  const { data } = parseLookup(body);
  const renewable = data.renewable === true && data.type !== "batch" && data.ttl > 0;
  return {
    token,
    lifeMs: lifeMsOf(data),
    grantedAtMs: nowMs,
    renewable,
    madeAtMs: data.creation_time ? data.creation_time * 1_000 : null,
    endsForGoodAtMs: endForGood(data, renewable, nowMs),
    kind: kindOf(data),
    usesLeft: data.num_uses ?? 0,
  };
}

/** What a renewal asks for: as long as the token was made for. */
export function madeForMs(body: unknown): number | null {
  const { data } = parseLookup(body);
  return data.creation_ttl ? data.creation_ttl * 1_000 : null;
}

export function ownTokenOf(body: unknown, nowMs: number): OwnToken {
  const grant = grantOfLookup(SecretValue.of(""), body, nowMs);
  return {
    endsAt: grant.lifeMs === null ? null : new Date(nowMs + grant.lifeMs),
    endsForGoodAt: grant.endsForGoodAtMs === null ? null : new Date(grant.endsForGoodAtMs),
    renewable: grant.renewable,
    kind: grant.kind,
    usesLeft: grant.usesLeft,
  };
}

/** What becomes a header: nothing in it may end one. Throws VaultFailure. */
export function tokenOf(text: string): SecretValue {
  if (/^[\x21-\x7e]{1,65536}$/.test(text)) return SecretValue.of(text);
  throw new VaultFailure("token", "what should be a token holds spaces, line breaks or other characters");
}

type LookupData = z.infer<typeof lookup>["data"];

function parseLookup(body: unknown): z.infer<typeof lookup> {
  const read = lookup.safeParse(body);
  if (!read.success) throw new VaultFailure("protocol", "it answered something else about the own token");
  return read.data;
}

/** Null: it never ends. A second before its end the server says 0 too. */
function lifeMsOf({ ttl, expire_time }: LookupData): number | null {
  return ttl === 0 && (expire_time ?? null) === null ? null : ttl * 1_000;
}

function kindOf({ type, period, expire_time, ttl, policies }: LookupData): OwnToken["kind"] {
  if (type === "batch") return "batch";
  if (policies?.includes("root") === true && ttl === 0 && (expire_time ?? null) === null) return "root";
  return period !== undefined && period !== null && period !== 0 && period !== "" ? "periodic" : "service";
}

function endForGood(data: LookupData, renewable: boolean, nowMs: number): number | null {
  const lifeMs = lifeMsOf(data);
  if (!renewable) return lifeMs === null ? null : nowMs + lifeMs;
  const { explicit_max_ttl, creation_time } = data;
  return explicit_max_ttl && creation_time ? (creation_time + explicit_max_ttl) * 1_000 : null;
}
