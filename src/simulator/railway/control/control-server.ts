/**
 * The control endpoint: the commands, for other processes. It listens on loopback, on a port of its own, below a path
 * that nobody can guess; only JSON is taken, so no web page can drive it by accident.
 *
 *   POST <control URL>/<handle>/<command>   body: the command's input   answer: { "result": … } or { "error": "…" }
 */
import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { z } from "zod";
import type { Command } from "../commands/command.ts";
import { COMMANDS } from "../commands/commands.ts";
import { readBody } from "../http-body.ts";
import { listen } from "../listener.ts";
import type { Simulation } from "../simulation.ts";

export interface ControlServer {
  readonly url: string;
  close(): Promise<void>;
}

const TABLE = new Map<string, Command<z.ZodType, unknown>>(
  Object.entries(COMMANDS).flatMap(([handle, commands]) =>
    Object.entries(commands).map(([name, one]): [string, Command<z.ZodType, unknown>] => [
      `${handle}/${name}`,
      one,
    ]),
  ),
);

export async function startControlServer(simulation: Simulation, port = 0): Promise<ControlServer> {
  const prefix = `/${randomBytes(16).toString("hex")}`;
  const server = await listen(
    (request, response) => {
      answer(simulation, prefix, request)
        .catch((error: unknown) => ({ status: 400, body: { error: describe(error) } }))
        .then(({ status, body }) => send(response, status, body));
    },
    "127.0.0.1",
    port,
  );
  return { url: `http://127.0.0.1:${server.port}${prefix}`, close: server.close };
}

interface ControlAnswer {
  readonly status: number;
  readonly body: { readonly result: unknown } | { readonly error: string };
}

async function answer(
  simulation: Simulation,
  prefix: string,
  request: IncomingMessage,
): Promise<ControlAnswer> {
  const path = request.url ?? "/";
  const one = path.startsWith(`${prefix}/`) ? TABLE.get(path.slice(prefix.length + 1)) : undefined;
  if (one === undefined) return { status: 404, body: { error: "there is no such command" } };
  if (request.method !== "POST" || !request.headers["content-type"]?.startsWith("application/json")) {
    return { status: 415, body: { error: "commands are sent by POST as application/json" } };
  }
  const text = await readBody(request);
  if (text === null) return { status: 413, body: { error: "the input is too long" } };
  const input = one.input.parse(text === "" ? {} : JSON.parse(text));
  const result = await one.run(simulation, input);
  return { status: 200, body: { result: result ?? null } };
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(`${JSON.stringify(body)}\n`);
}

function describe(error: unknown): string {
  if (error instanceof z.ZodError) return z.prettifyError(error);
  return error instanceof Error ? error.message : "the command failed";
}
