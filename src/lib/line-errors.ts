/**
 * Why a line to a server did not come about, in our own words by code: messages of a runtime quote headers and
 * certificates.
 */
const SELF_SIGNED = "the certificate is not trusted: it is self-signed";
const UNKNOWN_AUTHORITY = "the certificate is not trusted: its authority is not known here";

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "no connection: refused",
  ECONNRESET: "the connection ended before an answer",
  EPIPE: "the connection ended before an answer",
  ETIMEDOUT: "no connection: nothing answers",
  EHOSTUNREACH: "no connection: the host cannot be reached",
  ENETUNREACH: "no connection: the network cannot be reached",
  ENOTFOUND: "no connection: the name is not known",
  EAI_AGAIN: "no connection: names cannot be looked up now",
  DEPTH_ZERO_SELF_SIGNED_CERT: SELF_SIGNED,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  CERT_UNTRUSTED: "the certificate is not trusted",
  CERT_HAS_EXPIRED: "the certificate has expired",
  CERT_NOT_YET_VALID: "the certificate is not valid yet",
  ERR_TLS_CERT_ALTNAME_INVALID: "the certificate is for another name",
  EPROTO: "no TLS connection: what answered does not speak it as needed",
};

/** Null: not such a code. Unknown ones are not repeated, because a library may put anything there. */
export function lineErrorText(code: string): string | null {
  if (Object.hasOwn(WORDS, code)) return WORDS[code] ?? null;
  return code.startsWith("ERR_SSL_") ? (WORDS["EPROTO"] ?? null) : null;
}

/** The other side could not be trusted, though it was there. */
export function isCertificateError(code: string): boolean {
  return (lineErrorText(code) ?? "").startsWith("the certificate");
}
