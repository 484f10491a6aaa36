/** HTTP around the core: reads requests, asks the board for a fault, records, answers or does not. */
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { Core } from "./core.ts";
import { answerOf, isExecuted, withWarnings } from "./faults/answers.ts";
import type { FaultBoard, WaitingFault } from "./faults/fault-board.ts";
import { isLogin, lacksCas, needsToken, tokenState } from "./inspect.ts";
import { type CallRecord, isOddPath, type RecordedCall } from "./record.ts";
import { readingList, sentMethod } from "./wire/list-method.ts";
import type { HttpAnswer } from "./wire/reply.ts";
import type { RawRequest } from "./wire/request.ts";

export interface Tls {
  /** PEM. */
  readonly key: string;
  readonly cert: string;
}

export interface Listening {
  /** Origin, without a slash at its end. */
  readonly address: string;
  close(): Promise<void>;
}

export interface ServerNeeds {
  readonly core: Core;
  readonly board: FaultBoard;
  readonly record: CallRecord;
  readonly tls: Tls | undefined;
  /** Of the node that redirects point to; this one itself is it when null. */
  readonly elsewhere: () => string | null;
  readonly indexHeaders: boolean;
}

type Call = ReturnType<CallRecord["begin"]>;

export async function listen(needs: ServerNeeds, host: string, port: number): Promise<Listening> {
  const handler = (request: IncomingMessage, response: ServerResponse) => {
    serve(needs, request, response).catch((error: unknown) => {
      if (response.destroyed || response.headersSent) response.destroy();
      else response.writeHead(599).end(`double: ${String(error)}\n`);
    });
  };
  const http = createHttpServer(handler);
  const open = new Set<Socket>();
  const accept = (socket: Socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    http.emit("connection", readingList(socket));
  };
  const { tls } = needs;
  const server =
    tls === undefined
      ? createServer({ noDelay: true }, accept)
      : createTlsServer({ ...tls, noDelay: true }, accept);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("the server has no port");
  return {
    address: `${tls === undefined ? "http" : "https"}://${host}:${bound.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

async function serve(needs: ServerNeeds, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const raw = await readRequest(request);
  const { core, record, board } = needs;
  const call = record.begin(raw, tokenState(core, raw));
  noteOffences(needs, raw, call);
  const fault = board.take({ method: call.method, path: call.path, headers: raw.headers });
  call.fault = fault?.fault.kind ?? null;
  try {
    await respond(needs, raw, call, fault, response);
  } finally {
    record.changed();
  }
}

async function respond(
  needs: ServerNeeds,
  raw: RawRequest,
  call: Call,
  waiting: WaitingFault | null,
  response: ServerResponse,
): Promise<void> {
  const fault = waiting?.fault;
  if (fault?.kind === "held" && fault.at === "request") await waiting?.hold(fault.ms);
  let answer: HttpAnswer | null = null;
  if (fault === undefined || isExecuted(fault)) {
    call.executed = true;
    answer = indexed(needs, call, needs.core.handle(raw));
  }
  if (fault?.kind === "warnings" && answer !== null)
    answer = withWarnings(answer, fault.warnings ?? ["something that an operator should know"]);
  else if (fault !== undefined)
    answer =
      answerOf(fault, {
        url: raw.url,
        path: call.path,
        elsewhere: needs.elsewhere() ?? "",
        deadTokenText: needs.core.deadTokenText,
      }) ?? answer;
  if (fault?.kind === "held" && fault.at === "answer") await waiting?.hold(fault.ms);
  if (fault?.kind === "cut") return cut(response, answer, fault.bytes);
  if (answer === null) throw new Error("a fault left no answer");
  call.status = answer.status;
  send(response, answer, raw.method);
}

function send(response: ServerResponse, { status, headers, body }: HttpAnswer, method: string): void {
  const length = status === 204 ? {} : { "content-length": String(Buffer.byteLength(body)) };
  response.writeHead(status, { ...headers, ...length });
  response.end(method === "HEAD" || status === 204 ? undefined : body);
}

function cut(response: ServerResponse, answer: HttpAnswer | null, bytes: number | undefined): void {
  if (bytes === undefined || answer === null) {
    response.destroy();
    return;
  }
  response.writeHead(answer.status, {
    ...answer.headers,
    "content-length": String(Buffer.byteLength(answer.body)),
  });
  response.write(answer.body.slice(0, bytes), () => response.destroy());
}

function indexed(
  { indexHeaders }: ServerNeeds,
  { method, seq }: RecordedCall,
  answer: HttpAnswer,
): HttpAnswer {
  const wrote = !["GET", "LIST", "HEAD"].includes(method) && answer.status < 300;
  if (!indexHeaders || !wrote) return answer;
  return {
    ...answer,
    headers: { ...answer.headers, "x-vault-index": Buffer.from(`index ${seq}`).toString("base64") },
  };
}

async function readRequest(request: IncomingMessage): Promise<RawRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return {
    method: sentMethod(request.method),
    url: request.url ?? "/",
    headers: request.headers,
    body: Buffer.concat(chunks),
    remoteAddress: (request.socket.remoteAddress ?? "").replace(/^::ffff:/, ""),
  };
}

function noteOffences({ core, record, elsewhere }: ServerNeeds, raw: RawRequest, call: Call): void {
  if (raw.headers["x-vault-request"] !== "true") record.offence("no-request-header", call);
  if (isOddPath(raw)) record.offence("odd-path", call);
  if (call.token === "none" && needsToken(call.path, raw)) record.offence("no-token", call);
  if (call.token === "wrong") record.offence("wrong-token", call);
  if (call.token !== "none" && isLogin(call.path)) record.offence("token-at-login", call);
  if (lacksCas(core, call.path, raw)) record.offence("write-without-cas", call);
  if (elsewhere() !== null) return;
  record.offence("redirect-followed", call);
  if (call.token !== "none") record.offence("token-at-redirect-target", call);
}
