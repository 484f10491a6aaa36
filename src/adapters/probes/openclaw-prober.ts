/**
 * Asks a gateway of OpenClaw, and tells it to read its references again. It accepts one token at a time, and its own
 * commands tell success and failure wrongly (release 2026.3.13 says that a reload succeeded which changed nothing,
 * 2026.7.1 that one failed which was applied): only a live request decides.
 *
 * Measured on releases 2026.3.13 to 2026.9.6: an empty `POST /tools/invoke` runs nothing and is answered with 400
 * `invalid_request` to the right token and 401 to any other; 403, 429 and 503 come with the right token too.
 */
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { WebSocket } from "ws";
import type { ProbeAnswer } from "../../core/ports/prober.ts";
import type { SecretValue } from "../../core/secret-value.ts";
import { withDeadline } from "../../lib/with-deadline.ts";
import { type OpenClawProbe, openclawReloadUrl, openclawUrl } from "../../protocol/probe.ts";
import type { Connect } from "../outgoing/dial.ts";
import { exchange, TooLate } from "../outgoing/exchange.ts";
import { reasonOf } from "../outgoing/reasons.ts";
import { cannotTell } from "./http-prober.ts";

const MAX_ANSWER_BYTES = 65_536;
/** The slowest of five measured reloads took 350 ms with its connection. */
const RELOAD_WITHIN_MS = 10_000;
/** Releases since 2026.3.13 speak 3, since 2026.9.6 also 4. */
const PROTOCOLS = { minProtocol: 3, maxProtocol: 4 } as const;
const HEADER_VALUE = /^[\x21-\x7e]+$/;

/** Never throws. */
export async function askOpenClaw(
  connect: Connect,
  spec: OpenClawProbe,
  value: SecretValue,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const token = value.reveal();
  if (!HEADER_VALUE.test(token))
    return cannotTell("the value cannot be a token: it is not one word of visible ASCII characters");
  const question = {
    url: new URL(openclawUrl(spec)),
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: Buffer.from("{}"),
  };
  try {
    return await withDeadline(signal, spec.timeoutSeconds * 1_000, (limited) =>
      exchange(connect, question, judge, limited),
    );
  } catch (error) {
    if (signal.aborted) return cannotTell("given up");
    return cannotTell(
      error instanceof TooLate ? `no answer within ${spec.timeoutSeconds} s` : reasonOf(error),
    );
  }
}

async function judge(answer: IncomingMessage): Promise<ProbeAnswer> {
  const status = answer.statusCode ?? 0;
  if (status === 401) return { verdict: "refused", reason: "answered 401" };
  // Something else on that port answers 400 as well.
  if (status === 400)
    return (await typeOf(answer)) === "invalid_request"
      ? { verdict: "accepted", reason: "answered 400, as to the right token" }
      : cannotTell("answered 400, and not as a gateway of OpenClaw does");
  if (status === 429) return cannotTell("answered 429: it lets nobody in for a while, whatever the token");
  if (status === 403) return cannotTell("answered 403, which says nothing about the token");
  return cannotTell(`answered ${status}`);
}

async function typeOf(answer: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer) {
    bytes += (chunk as Buffer).length;
    if (bytes > MAX_ANSWER_BYTES) return null;
    chunks.push(chunk as Buffer);
  }
  try {
    const body = JSON.parse(Buffer.concat(chunks).toString("utf8")) as { error?: { type?: unknown } };
    return body.error?.type;
  } catch {
    return null;
  }
}

/**
 * `accepted`: the token that it accepts now; with the new one it would refuse to be told. Ends when it has answered, the
 * line is closed, or the time is over. Its answer tells nothing: ask it again.
 */
export async function reloadOpenClaw(
  connect: Connect,
  spec: OpenClawProbe,
  accepted: SecretValue,
  signal: AbortSignal,
): Promise<void> {
  try {
    await withDeadline(signal, RELOAD_WITHIN_MS, async (limited) => {
      const line = await connect("127.0.0.1", spec.port, limited);
      line.on("error", () => undefined);
      const socket = new WebSocket(openclawReloadUrl(spec), {
        createConnection: () => line,
        perMessageDeflate: false,
        followRedirects: false,
        maxPayload: MAX_ANSWER_BYTES,
      });
      try {
        await reloaded(socket, accepted, limited);
      } finally {
        socket.terminate();
        line.destroy();
      }
    });
  } catch {
    // What became of it is asked for, never assumed.
  }
}

/** The gateway begins with a challenge; then it is told who speaks, then what to do. */
async function reloaded(socket: WebSocket, accepted: SecretValue, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const connecting = randomUUID();
    const reloading = randomUUID();
    const say = (id: string, method: string, params: object): void =>
      socket.send(JSON.stringify({ type: "req", id, method, params }));
    const isOver = () => resolve();
    signal.addEventListener("abort", isOver, { once: true });
    if (signal.aborted) isOver();
    socket.on("error", isOver);
    socket.on("close", isOver);
    socket.on("message", (data: Buffer) => {
      const told = frameOf(data);
      if (told.event === "connect.challenge") say(connecting, "connect", introduction(accepted));
      else if (told.id === connecting && told.ok === true) say(reloading, "secrets.reload", {});
      else if (told.id === connecting || told.id === reloading) isOver();
    });
  });
}

function introduction(accepted: SecretValue): object {
  return {
    ...PROTOCOLS,
    client: { id: "gateway-client", version: "1.0.0", platform: process.platform, mode: "backend" },
    role: "operator",
    scopes: ["operator.admin"],
    caps: [],
    auth: { token: accepted.reveal() },
  };
}

function frameOf(data: Buffer): { readonly event?: unknown; readonly id?: unknown; readonly ok?: unknown } {
  try {
    const frame: unknown = JSON.parse(data.toString("utf8"));
    return typeof frame === "object" && frame !== null ? frame : {};
  } catch {
    return {};
  }
}
