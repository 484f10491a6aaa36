/** Why a request got no answer, in our own words by code: messages of a runtime quote headers and certificates. */
import { lineErrorText } from "../../lib/line-errors.ts";
import { ProxyError } from "../../lib/proxy/tunnel.ts";

/** Ends one request; its message is a reason for people, and holds nothing of the value or of the service. */
export class NoAnswer extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = "NoAnswer";
  }
}

const NOT_HTTP = "what answered does not speak HTTP";

/** In words; unknown codes are not repeated, because a library may put anything there. */
export function reasonOf(error: unknown): string {
  if (error instanceof NoAnswer || error instanceof ProxyError) return error.message;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const known = lineErrorText(code);
  if (known !== null) return known;
  if (code === "HPE_HEADER_OVERFLOW") return "the answer's headers are too large";
  return code.startsWith("HPE_") ? NOT_HTTP : "the request failed";
}
