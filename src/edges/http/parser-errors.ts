/**
 * Requests that end in Node's parser, before any of ours runs: answered by hand, as every other error is, and the
 * connection with them.
 */
import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { LockstepError } from "../../core/errors.ts";
import { SECURITY_HEADERS } from "./headers.ts";
import { PROBLEM_TYPE, toProblem } from "./problem.ts";

/** An answer where no reply of the framework's is at hand. The connection ends with it. */
export function handWritten(error: LockstepError) {
  const problem = toProblem(error);
  const body = JSON.stringify(problem);
  const headers: Readonly<Record<string, string>> = {
    ...SECURITY_HEADERS,
    "content-type": PROBLEM_TYPE,
    "content-length": String(Buffer.byteLength(body)),
    connection: "close",
  };
  return { status: problem.status, headers, body };
}

/** Node's `clientError`: the socket is all that there is. */
export function answerParserError(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || socket.destroyed) return;
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const { status, headers, body } = handWritten(translate(error.code ?? ""));
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`, ...lines];
  // Whoever does not take the answer does not keep the connection.
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy());
}

/** An `Expect` other than 100-continue, which Node would answer without our headers. */
export function answerExpectations(server: Server): void {
  server.on("checkExpectation", (_request: IncomingMessage, response: ServerResponse) => {
    const error = new LockstepError(
      "REQUEST_MALFORMED",
      "Cannot read the request: it expects what nobody does here.",
    );
    const { status, headers, body } = handWritten(error);
    response.writeHead(status, headers).end(body);
  });
}

function translate(code: string): LockstepError {
  switch (code) {
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new LockstepError("REQUEST_TOO_SLOW", "Cannot read the request: it did not arrive in time.");
    case "HPE_HEADER_OVERFLOW":
      return new LockstepError(
        "HEADERS_TOO_LARGE",
        "Cannot read the request: its head is larger than 16 KiB.",
      );
    default:
      return new LockstepError(
        "REQUEST_MALFORMED",
        "Cannot read the request: it is not HTTP as the standard has it.",
      );
  }
}
