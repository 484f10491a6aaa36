/**
 * What the agent says to its server: each request signed anew, so that a copy of one is worth nothing. Answers are
 * untrusted text; whoever asked opens and checks them.
 */
import { createHash, randomBytes } from "node:crypto";
import { LockstepError } from "../../../core/errors.ts";
import type { PrivateJwk } from "../../../protocol/agent/envelope.ts";
import {
  type BundleRequest,
  type EnrolmentRequest,
  type Report,
  sealedAnswer,
} from "../../../protocol/agent/messages.ts";
import { AGENT_PATHS } from "../../../protocol/agent/paths.ts";
import { AUTHORIZATION_SCHEME, signRequest } from "../../../protocol/agent/request-token.ts";
import { assertAccepted, readText } from "./answers.ts";
import { readEvents } from "./events.ts";
import type { Transport, TransportAnswer } from "./transport.ts";

export interface Caller {
  readonly agentId: string;
  readonly storeId: string;
  readonly signKey: PrivateJwk;
}

export interface ClientOptions {
  readonly transport: Transport;
  readonly nowMs: () => number;
  readonly timeoutMs: number;
}

const MAX_ANSWER_BYTES = 9 * 1024 * 1024;

/** Throws SERVER_UNREACHABLE, TARGET_HOST_KEY, and what the server refuses with (AGENT_REVOKED, AGENT_CLOCK, …). */
export class AgentClient {
  readonly #options: ClientOptions;
  readonly #caller: Caller;

  constructor(options: ClientOptions, caller: Caller) {
    this.#options = options;
    this.#caller = caller;
  }

  /** The sealed answer. */
  async bundle(request: BundleRequest, signal: AbortSignal): Promise<string> {
    return parseSealed(await this.#post(AGENT_PATHS.bundle, request, signal)).sealed;
  }

  async report(report: Report, signal: AbortSignal): Promise<void> {
    await this.#post(AGENT_PATHS.report, report, signal);
  }

  /** The sealed offer of the agent's program. */
  async program(nonce: string, signal: AbortSignal): Promise<string> {
    return parseSealed(await this.#post(AGENT_PATHS.program, { v: 1, nonce }, signal)).sealed;
  }

  async confirm(challenge: string, signal: AbortSignal): Promise<void> {
    await this.#post(AGENT_PATHS.confirm, { v: 1, challenge }, signal);
  }

  /** Calls `hear` at each hint and `open` once the line stands; ends by throwing when it falls silent or is cut. */
  async events(
    heard: { readonly open: () => void; readonly change: () => void },
    silenceMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    const answer = await this.#send("GET", AGENT_PATHS.events, null, signal);
    await assertAccepted(answer, this.#options.timeoutMs);
    heard.open();
    await readEvents(answer.stream, heard.change, silenceMs, signal);
  }

  async #post(path: string, content: unknown, signal: AbortSignal): Promise<string> {
    const answer = await this.#send("POST", path, JSON.stringify(content), signal);
    await assertAccepted(answer, this.#options.timeoutMs);
    return readText(answer.stream, MAX_ANSWER_BYTES, this.#options.timeoutMs);
  }

  async #send(
    method: "GET" | "POST",
    path: string,
    body: string | null,
    signal: AbortSignal,
  ): Promise<TransportAnswer> {
    const { transport, nowMs, timeoutMs } = this.#options;
    const { agentId, storeId, signKey } = this.#caller;
    const token = await signRequest(
      {
        agentId,
        storeId,
        method,
        path,
        bodyDigest: createHash("sha256")
          .update(body ?? "")
          .digest("base64url"),
        tokenId: randomBytes(16).toString("base64url"),
      },
      signKey,
      Math.floor(nowMs() / 1_000),
    );
    const headers = {
      authorization: `${AUTHORIZATION_SCHEME} ${token}`,
      ...(body === null ? { accept: "text/event-stream" } : bodyHeaders(body)),
    };
    return transport.send({ method, path, headers, body, timeoutMs, signal });
  }
}

/** Without a signature: who enrolls proves the code instead. */
export async function sendEnrolment(
  { transport, timeoutMs }: Pick<ClientOptions, "transport" | "timeoutMs">,
  request: EnrolmentRequest,
  signal: AbortSignal,
): Promise<ReturnType<typeof parseSealed>> {
  const body = JSON.stringify(request);
  const answer = await transport.send({
    method: "POST",
    path: AGENT_PATHS.enrol,
    headers: bodyHeaders(body),
    body,
    timeoutMs,
    signal,
  });
  await assertAccepted(answer, timeoutMs);
  return parseSealed(await readText(answer.stream, MAX_ANSWER_BYTES, timeoutMs));
}

function bodyHeaders(body: string): Record<string, string> {
  return {
    accept: "application/json",
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
  };
}

function parseSealed(text: string) {
  try {
    return sealedAnswer.parse(JSON.parse(text));
  } catch {
    throw new LockstepError("SERVER_UNREACHABLE", "The server's answer was not understood.", {
      hint: "Check that the address is the agents' listener of a Lockstep of this release.",
    });
  }
}
