/**
 * The public endpoint: one POST address that speaks like the platform. In order: find out what the request is about,
 * record it, charge the token's budget, look for a fault, execute, answer. Nothing else is served here.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { GraphQLSchema } from "graphql";
import type { SimulatorClock } from "../clock.ts";
import type { FaultBoard } from "../faults/fault-board.ts";
import { readBody } from "../http-body.ts";
import type { OpenRecord, RequestLog } from "../request-log.ts";
import type { Patches } from "../world/patches.ts";
import type { Platform } from "../world/platform.ts";
import { Access, type Caller, identify } from "./caller.ts";
import type { Effects, RequestContext } from "./context.ts";
import { NO_EFFECTS } from "./context.ts";
import { type Answer, Executor, errorsIn } from "./executor.ts";
import { describeRequest } from "./inspect-request.ts";
import type { RateLimiter, TokenAllowance } from "./rate-limiter.ts";
import { type Outcome, spoil, tooMany } from "./spoil.ts";
import { Views } from "./views.ts";

export const API_PATH = "/graphql/v2";

export interface EndpointParts {
  readonly schema: GraphQLSchema;
  readonly clock: SimulatorClock;
  readonly platform: Platform;
  readonly patches: Patches;
  readonly limiter: RateLimiter;
  readonly faults: FaultBoard;
  readonly log: RequestLog;
}

export class Endpoint {
  readonly #parts: EndpointParts;
  readonly #executor: Executor;

  constructor(parts: EndpointParts) {
    this.#parts = parts;
    this.#executor = new Executor(parts.schema);
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (new URL(request.url ?? "/", "http://localhost").pathname !== API_PATH) {
      response.writeHead(404, { "content-type": "text/plain" }).end("Not Found\n");
      return;
    }
    const body = await readBody(request);
    if (body === null) {
      response.writeHead(413).end();
      return;
    }
    const { log, limiter, platform } = this.#parts;
    const caller = identify(platform.world, request.headers);
    const record = this.#record(request, caller, body);
    const allowance = caller.token === null ? null : limiter.take(caller.token);
    const headers = allowance === null ? {} : limiter.headers(allowance);
    const outcome =
      allowance?.refused == null
        ? await this.#answer(request, body, caller, allowance, record)
        : tooMany(undefined, "json");
    if (outcome === null) {
      record.dropped = true;
      request.socket.destroy();
    } else {
      record.status = outcome.status;
      response.writeHead(outcome.status, { ...headers, ...outcome.headers }).end(outcome.body);
    }
    log.changed();
  }

  #record(request: IncomingMessage, { token }: Caller, body: string): OpenRecord {
    const { schema, clock, log, platform } = this.#parts;
    return log.begin(describeRequest(schema, platform.world, body), {
      at: clock.now().toISOString(),
      token: token?.kind ?? "none",
      tokenName: token?.name ?? null,
      userAgent: request.headers["user-agent"] ?? null,
    });
  }

  async #answer(
    request: IncomingMessage,
    body: string,
    caller: Caller,
    allowance: TokenAllowance | null,
    record: OpenRecord,
  ): Promise<Outcome> {
    const { faults } = this.#parts;
    const execute = async (effects: Effects): Promise<Answer> => {
      const context = this.#context(caller, allowance, effects);
      const answer = await this.#executor.execute(request, body, context);
      record.executed = "yes";
      record.errors = errorsIn(answer);
      return answer;
    };
    const taken = faults.takeForRequest({
      operationName: record.operationName,
      operationType: record.operationType,
      fields: record.operations,
      services: new Set(record.services.flatMap((id) => [id, this.#serviceName(id)])),
    });
    if (taken === null) return execute(NO_EFFECTS);
    record.fault = taken.fault.kind;
    return spoil({ ...taken, record, board: faults, execute });
  }

  #context(caller: Caller, allowance: TokenAllowance | null, effects: Effects): RequestContext {
    const { platform, patches } = this.#parts;
    const { world, behaviour } = platform;
    const access = new Access(world, caller);
    const views = new Views({ world, access, behaviour, allowance, writesBehind: effects.writesBehind });
    return { world, platform, patches, behaviour, access, views, effects };
  }

  #serviceName(id: string): string {
    return this.#parts.platform.world.services.get(id)?.name ?? id;
  }
}
