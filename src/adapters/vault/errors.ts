/**
 * What an answer of Vault or OpenBao means, by status and text. Texts may hold names, values and secret ids: they are
 * matched here and dropped, and what goes on is a verdict with words of our own.
 *
 * After a write only a refusal that the server gives before it does anything is a failure; everything else is "outcome
 * unknown", because the work may have been done first.
 */
import type { UnansweredTrouble } from "../outgoing/kept-line.ts";
import { type TransitTrouble, VaultFailure, type VaultVerdict } from "./failure.ts";
import type { RawAnswer } from "./request-builder.ts";

interface Row {
  readonly status: number;
  readonly text: RegExp;
  readonly verdict: VaultVerdict;
  readonly reason: string;
  readonly trouble?: TransitTrouble;
}

const row = (status: number, text: RegExp, verdict: VaultVerdict, reason: string): Row => ({
  status,
  text,
  verdict,
  reason,
});

const keyRow = (text: RegExp, trouble: TransitTrouble, reason: string): Row => ({
  status: 400,
  text,
  verdict: "key",
  reason,
  trouble,
});

const TRANSIT_ROWS: readonly Row[] = [
  keyRow(/encryption key not found/i, "missing", "there is no such Transit key"),
  keyRow(
    /disallowed by policy \(too old\)/i,
    "too-old",
    "the Transit key's min_decryption_version hides the version under which this was encrypted",
  ),
  keyRow(
    /version is too new/i,
    "too-new",
    "the Transit key does not have the version under which this was encrypted",
  ),
  keyRow(/soft-deleted key/i, "soft-deleted", "the Transit key is deleted, and can be restored"),
  keyRow(
    /message authentication failed|invalid ciphertext|unable to decrypt|could not decrypt/i,
    "unopened",
    "the text was not encrypted by this Transit key, or was changed since",
  ),
];

/** Servers before 1.10 say it like this, of a whole batch. A damaged storage says more, and is none of this. */
const UNOPENED_BATCH: Row = {
  ...keyRow(
    /^1 error occurred:\s+\* cipher: message authentication failed\s*$/i,
    "unopened",
    "the text was not encrypted by this Transit key, or was changed since",
  ),
  status: 500,
};

const STANDBY = "no node is active at the moment";

/** The first that fits counts. Refusals before any work. */
const ROWS: readonly Row[] = [
  row(
    400,
    /check-and-set parameter did not match/i,
    "conflict",
    "the current version is another one than expected",
  ),
  row(
    400,
    /check-and-set parameter required/i,
    "invalid",
    "the path is written with check-and-set only, and none was sent",
  ),
  row(400, /no data provided/i, "invalid", "the request held no data"),
  row(400, /upgrading from|waiting for the primary to upgrade/i, "later", "the mount is being upgraded"),
  row(400, /missing client token/i, "token", "no token arrived there"),
  row(400, /error performing token check/i, "behind", "this node does not know the new token yet"),
  row(
    400,
    /refused json input|json .*(?:complexity|exceeds)|string value exceeds/i,
    "invalid",
    "the request is larger or has more parts than the server takes",
  ),
  row(400, /cannot write to a path ending/i, "invalid", "the path ends in a slash"),
  row(
    400,
    /custom_metadata validation failed/i,
    "invalid",
    "the labels are longer or more than the server takes",
  ),
  row(400, /operation unavailable in namespaces/i, "mount", "the server does not offer this in a namespace"),
  ...TRANSIT_ROWS,
  UNOPENED_BATCH,
  row(404, /no handler for route/i, "mount", "nothing is mounted there"),
  row(404, /namespace not found/i, "namespace", "there is no such namespace"),
  row(404, /unsupported path/i, "mount", "the engine that is mounted there does not know this path"),
  row(412, /./, "behind", "this node does not know the newest state yet"),
  row(413, /(?:)/, "invalid", "the request is too large"),
  row(415, /(?:)/, "protocol", "the request's content type was not taken"),
  row(500, /value being too large|entry too large/i, "invalid", "the value is larger than the server stores"),
  row(501, /(?:)/, "later", "the server is not initialized"),
  row(503, /vault is sealed|namespace is sealed/i, "later", "it is sealed"),
  row(503, /api access to this namespace/i, "later", "its namespace is locked"),
];

/** Null: 200 with JSON, or 204. `writes`: as the call says. */
export function failureOf(answer: RawAnswer, writes: boolean): VaultFailure | null {
  const { status, body } = answer;
  if (status === 204 || (status === 200 && isObject(body))) return null;
  const unsure = (verdict: VaultVerdict, reason: string): VaultFailure =>
    writes
      ? new VaultFailure("outcome-unknown", `it is not known whether it was done: ${reason}`, { status })
      : new VaultFailure(verdict, reason, { status });
  if (status === 200) return unsure("protocol", "what answered is not Vault's API (200 without JSON)");
  // During an election, and for good where the address is a standby's that cannot forward: only a person tells them apart.
  if (status === 307)
    return unsure(
      "later",
      "it answered with a redirect (307), as a standby does that cannot forward to the active node; redirects are not followed, so if it stays like this, name an address that leads to the active node",
    );
  if (status >= 300 && status < 400)
    return unsure(
      "protocol",
      `it answered with a redirect (${status}), which is not followed: name an address that leads to the active node`,
    );
  if (status === 429) return rateLimited(answer);
  const texts = textsOf(body);
  if (texts === null && status < 500)
    return unsure("protocol", `what answered is not Vault's API (${status})`);
  const said = (texts ?? []).join("\n");
  const known = ROWS.find((one) => one.status === status && one.text.test(said));
  if (known !== undefined) return ofRow(known, status);
  if (status === 403) return forbidden(answer);
  if (status === 404) return notFound(body);
  if (status === 405)
    return new VaultFailure("mount", "the engine that is mounted there does not know this operation", {
      status,
    });
  if (status >= 500) return unsure("later", serverTrouble(status, said));
  return new VaultFailure(
    "protocol",
    `it refused the request (${status}) for a reason that is not known here`,
    { status },
  );
}

/** An item of a Transit batch. */
export function batchItemFailure(said: string): VaultFailure {
  const known = TRANSIT_ROWS.find(({ text }) => text.test(said));
  if (known !== undefined) return ofRow(known, 400);
  return new VaultFailure("later", "Transit could not do it, for a reason that is not known here", {
    status: 400,
  });
}

/** No whole answer came. */
export function lostAnswer(
  {
    trouble,
    sent,
    message,
  }: { readonly trouble: UnansweredTrouble; readonly sent: boolean; readonly message: string },
  writes: boolean,
): VaultFailure {
  if (sent && writes)
    return new VaultFailure("outcome-unknown", `it is not known whether it was done: ${message}`);
  const isWrongPlace = trouble === "certificate" || trouble === "not-http" || trouble === "too-large";
  return new VaultFailure(isWrongPlace ? "protocol" : "later", message);
}

/**
 * Whether a refusal may be about the token and not about a policy. A policy's is wrapped, alone: newer servers say both
 * for a dead token.
 */
export function mayBeDeadToken({ status, body }: RawAnswer): boolean {
  if (status !== 400 && status !== 403) return false;
  const [raw = "", ...rest] = rawTexts(body) ?? [];
  if (status === 400) return /missing client token/i.test(raw);
  const all = [raw, ...rest].join("\n");
  return /invalid token/i.test(all) || (/permission denied/i.test(all) && !/errors? occurred:/i.test(all));
}

/** A node that has not heard of the newest writes, a new token among them. */
export function mayBeBehind(answer: RawAnswer): boolean {
  if (answer.status === 412 || mayBeDeadToken(answer)) return true;
  return (
    answer.status === 400 && /error performing token check/i.test((rawTexts(answer.body) ?? []).join("\n"))
  );
}

/** In one line of `rawTexts`, what several wrapped ones say. */
function textsOf(body: unknown): readonly string[] | null {
  const raw = rawTexts(body);
  if (raw !== null) return raw;
  // Two kinds of 404 are whole answers without errors.
  return isObject(body) && ("data" in body || "warnings" in body) ? [] : null;
}

function rawTexts(body: unknown): readonly string[] | null {
  if (!isObject(body) || !Array.isArray(body["errors"])) return null;
  return body["errors"].filter((one) => typeof one === "string");
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function ofRow({ verdict, reason, trouble }: Row, status: number): VaultFailure {
  return new VaultFailure(verdict, reason, { status, ...(trouble === undefined ? {} : { trouble }) });
}

function forbidden(answer: RawAnswer): VaultFailure {
  return mayBeDeadToken(answer)
    ? new VaultFailure("token", "the token is not accepted", { status: 403 })
    : new VaultFailure("permission", "the token's policies lack a right for this path", { status: 403 });
}

function notFound(body: unknown): VaultFailure {
  const warnings = isObject(body) && Array.isArray(body["warnings"]) ? body["warnings"] : [];
  if (warnings.some((one) => /invalid path for a versioned k\/v/i.test(String(one))))
    return new VaultFailure(
      "mount",
      "the mount is a KV engine of version 2, and was asked as one of version 1",
      {
        status: 404,
      },
    );
  return new VaultFailure("absent", "nothing is there", { status: 404 });
}

function rateLimited({ headers }: RawAnswer): VaultFailure {
  const told = /^\d{1,12}$/.exec(String(headers["retry-after"] ?? ""))?.[0];
  return new VaultFailure("rate-limited", "a quota of the server is used up for now", {
    status: 429,
    retryAfterMs: told === undefined ? DEFAULT_RETRY_MS : Math.min(1_000 * Number(told), MAX_RETRY_MS),
  });
}

const DEFAULT_RETRY_MS = 1_000;
/** Quotas are counted by the second or the minute. Nobody stops a ring, or a place, for a day by one header. */
const MAX_RETRY_MS = 15 * 60_000;

function serverTrouble(status: number, said: string): string {
  if (/not active|no active vault instance|active cluster node not found/i.test(said)) return STANDBY;
  if (status === 500 && /internal error/i.test(said))
    return "it failed within (500); most often because no audit device can write";
  return status === 502 || status === 504
    ? `what stands before the server got no answer from it (${status})`
    : `it failed within (${status})`;
}
