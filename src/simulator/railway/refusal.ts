/**
 * How the platform refuses: an error inside an answer of status 200, with a coarse code. Railway's codes do not tell
 * causes apart, and neither do these.
 */
import { GraphQLError } from "graphql";

export function refusal(message: string, extensions: Readonly<Record<string, unknown>> = {}): GraphQLError {
  return new GraphQLError(message, { extensions: { code: "INTERNAL_SERVER_ERROR", ...extensions } });
}

/** One message for a dead token, a foreign resource and one that does not exist. */
export function notAuthorized(): GraphQLError {
  return refusal("Not Authorized");
}
