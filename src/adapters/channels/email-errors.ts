/**
 * Why a mail did not arrive, in our words: by the code of nodemailer, the status of SMTP (RFC 5321, 4.2) and its enhanced
 * form (RFC 3463), which are digits. The server's own text is dropped: it may repeat what it was told.
 */
import { LockstepError } from "../../core/errors.ts";
import { reasonOf } from "../outgoing/reasons.ts";

export interface MailFailure {
  readonly code?: unknown;
  readonly command?: unknown;
  readonly originalCode?: unknown;
  readonly responseCode?: unknown;
  readonly response?: unknown;
  readonly recipient?: unknown;
  readonly rejectedErrors?: unknown;
}

/** Of one try: where, with what settings, and who has the mail by now. */
export interface Mailing {
  readonly host: string;
  readonly port: number;
  readonly tls: "starttls" | "implicit" | "none";
  readonly hasLogin: boolean;
  readonly reached: readonly string[];
}

/** The whole mail failed. */
export function mailError(error: unknown, mailing: Mailing): LockstepError {
  const failure = error as MailFailure;
  if (Array.isArray(failure.rejectedErrors) && failure.rejectedErrors.length > 0) {
    return recipientsError(failure.rejectedErrors as MailFailure[], mailing);
  }
  const at = `mail server ${mailing.host}`;
  const status = statusOf(failure);
  if (failure.code === "ETLS" && failure.command === "STARTTLS" && status !== null) {
    const other = "`tls: implicit` with port 465 is the other way to encrypt.";
    return refused(
      `The ${at} offers no STARTTLS on port ${mailing.port}, and without it nothing is sent. ${other}`,
    );
  }
  if (status === null) return notReached(failure, mailing);
  const isTemporary = status < 500;
  if (failure.code === "EAUTH" && !isTemporary) {
    return refused(
      `The ${at} does not accept the user and password (${numbersOf(failure)}). Some want a password made for programs.`,
    );
  }
  const text = `The ${at} answered ${numbersOf(failure)}${meaningOf(failure, mailing)}.`;
  return isTemporary ? unavailable(text) : refused(text);
}

/** Some or all recipients were refused; the others have the mail. */
export function recipientsError(failures: readonly MailFailure[], mailing: Mailing): LockstepError {
  const parts = failures.map((failure) => {
    const who = typeof failure.recipient === "string" ? failure.recipient : "a recipient";
    return `not for ${who} (${numbersOf(failure)}${meaningOf(failure, mailing)})`;
  });
  const taken = mailing.reached.length === 0 ? "" : `for ${mailing.reached.join(", ")}, `;
  const text = `The mail server ${mailing.host} took the mail ${taken}${parts.join(", ")}.`;
  const isTemporary = failures.some((failure) => (statusOf(failure) ?? 400) < 500);
  return new LockstepError(isTemporary ? "CHANNEL_UNAVAILABLE" : "CHANNEL_REFUSED", text, {
    details: { reached: [...mailing.reached] },
  });
}

function notReached(failure: MailFailure, { host, port, tls }: Mailing): LockstepError {
  const code = String(failure.originalCode ?? failure.code);
  const setting = SETTINGS[code] ?? (code.startsWith("ERR_SSL_") ? tlsSetting(tls) : "");
  if (failure.code === "EPROTOCOL") {
    return unavailable(`What answers on port ${port} of the mail server ${host} does not speak SMTP.`);
  }
  if (failure.code === "ETIMEDOUT" && failure.command === "CONN" && tls !== "implicit") {
    const hint = "Where it expects TLS from the first byte (port 465), write `tls: implicit`.";
    return unavailable(`The mail server ${host} does not greet on port ${port}. ${hint}`);
  }
  const known = new Error("", {});
  const why = reasonOf(Object.assign(known, { code }));
  return unavailable(`Cannot reach the mail server ${host}: ${why}.${setting === "" ? "" : ` ${setting}`}`);
}

const OWN_CA =
  "Give the certificate of the authority that signed it, or its own where it vouches for itself, as `caCertificate`.";
const SETTINGS: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: OWN_CA,
  SELF_SIGNED_CERT_IN_CHAIN: OWN_CA,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: OWN_CA,
  UNABLE_TO_GET_ISSUER_CERT: OWN_CA,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: OWN_CA,
  CERT_UNTRUSTED: OWN_CA,
  CERT_HAS_EXPIRED: "Renew it on the mail server; a `caCertificate` that has expired must be renewed too.",
  CERT_NOT_YET_VALID: "Compare the clocks of this machine and of the mail server.",
  ERR_TLS_CERT_ALTNAME_INVALID: "Write as `host` the name that stands in its certificate.",
};

function tlsSetting(tls: Mailing["tls"]): string {
  return tls === "implicit"
    ? "Where it begins without TLS (port 587 or 25), write `tls: starttls`."
    : "It must speak TLS 1.2 or newer.";
}

function meaningOf(failure: MailFailure, { hasLogin }: Mailing): string {
  const status = statusOf(failure);
  const enhanced = enhancedOf(failure);
  if (enhanced.endsWith(".2.2")) return ": the mailbox is full";
  if (enhanced.endsWith(".3.4")) return ": the mail is too large there";
  if (enhanced === "5.1.1") return ": there is no such address";
  switch (status) {
    case 421:
      return ": it serves nobody now";
    case 450:
    case 451:
      return ": it asks to come again later, as greylisting does";
    case 452:
      return ": it has no room now";
    case 454:
      return ": it cannot check the login now";
    case 530:
      return hasLogin ? "" : ": it wants a login; give the channel `user` and `password`";
    case 550:
    case 551:
    case 553:
      return ": it does not take mail for this address, or from this sender";
    case 552:
      return ": the mail is too large there, or the mailbox is full";
    default:
      return "";
  }
}

function numbersOf(failure: MailFailure): string {
  const enhanced = enhancedOf(failure);
  return `${statusOf(failure) ?? "without a status"}${enhanced === "" ? "" : ` ${enhanced}`}`;
}

function statusOf({ responseCode }: MailFailure): number | null {
  return typeof responseCode === "number" ? responseCode : null;
}

function enhancedOf({ response }: MailFailure): string {
  const [, found = ""] = /^\d{3}[ -]([245]\.\d{1,3}\.\d{1,3})\b/.exec(String(response)) ?? [];
  return found;
}

function refused(message: string): LockstepError {
  return new LockstepError("CHANNEL_REFUSED", message);
}

function unavailable(message: string): LockstepError {
  return new LockstepError("CHANNEL_UNAVAILABLE", message);
}
