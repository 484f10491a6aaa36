/** Why a probe got no answer, in our own words by code: messages of a runtime quote headers and certificates. */

/** Ends one request; its message is a reason for people, and holds nothing of the value or of the service. */
export class NoAnswer extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = "NoAnswer";
  }
}

const NOT_TRUSTED = "the certificate is not trusted";
const NOT_HTTP = "what answered does not speak HTTP";

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "no connection: refused",
  ECONNRESET: "the connection ended before an answer",
  EPIPE: "the connection ended before an answer",
  ETIMEDOUT: "no connection: nothing answers",
  EHOSTUNREACH: "no connection: the host cannot be reached",
  ENETUNREACH: "no connection: the network cannot be reached",
  ENOTFOUND: "no connection: the name is not known",
  EAI_AGAIN: "no connection: names cannot be looked up now",
  DEPTH_ZERO_SELF_SIGNED_CERT: NOT_TRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: NOT_TRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: NOT_TRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: NOT_TRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: NOT_TRUSTED,
  CERT_UNTRUSTED: NOT_TRUSTED,
  CERT_HAS_EXPIRED: "the certificate has expired",
  CERT_NOT_YET_VALID: "the certificate is not valid yet",
  ERR_TLS_CERT_ALTNAME_INVALID: "the certificate is for another name",
  EPROTO: "no TLS connection: what answered does not speak it as needed",
  HPE_HEADER_OVERFLOW: "the answer's headers are too large",
};

/** In words; unknown codes are not repeated, because a library may put anything there. */
export function reasonOf(error: unknown): string {
  if (error instanceof NoAnswer) return error.message;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const known = Object.hasOwn(REASONS, code) ? REASONS[code] : undefined;
  if (known !== undefined) return known;
  if (code.startsWith("ERR_SSL_")) return REASONS["EPROTO"] ?? "";
  return code.startsWith("HPE_") ? NOT_HTTP : "the request failed";
}
