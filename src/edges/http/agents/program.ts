/**
 * The agent's program on its listener: what is offered, to an agent that asks, and the files, to everybody who names the
 * digest of one. They are the same for all, hold no secret, and are checked by who takes them.
 */
import type { Readable } from "node:stream";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { offerProgram } from "../../../app/agents/program/offer-program.ts";
import type { AppContext } from "../../../app/base/context.ts";
import { LockstepError } from "../../../core/errors.ts";
import { AGENT_PATHS } from "../../../protocol/agent/paths.ts";
import { type ProgramOffer, programRequest } from "../../../protocol/agent/program.ts";
import type { TrustedProxies } from "../source.ts";
import { Budget } from "./budgets.ts";
import { authenticate, bodyOf, spend } from "./requests.ts";

export interface ServedProgram {
  readonly offer: ProgramOffer;
  /** Of a file that is offered, from its first byte to its last. */
  read(sha256: string): Readable;
}

/** Of one address. Several machines behind it may be set up at once. */
const DOWNLOADS = { burst: 30, everyMs: 2_000 };
/** In all: a slow reader holds a file open for as long as it reads. */
const MAX_AT_ONCE = 64;
const AGAIN_AFTER_MS = 5_000;

/** What needs no signature: the address itself is the proof that somebody was told the digest. */
export function isProgramPath({ method, url }: Pick<FastifyRequest, "method" | "url">): boolean {
  return method === "GET" && url.startsWith(`${AGENT_PATHS.program}/`);
}

/** The same for a path that is none and a digest that is not offered. */
export function nothingHere(): LockstepError {
  return new LockstepError("NOT_FOUND", "There is nothing here.", { hint: "Agents know what to ask for." });
}

export function registerProgram(
  app: FastifyInstance,
  context: AppContext,
  {
    program,
    proxies,
    share,
  }: { readonly program: ServedProgram | null; readonly proxies: TrustedProxies; readonly share: Budget },
): void {
  const downloads = new Budget({ now: () => performance.now(), ...DOWNLOADS });
  let underWay = 0;

  app.post(AGENT_PATHS.program, async (request) => {
    const agent = await authenticate(context, request, share);
    const { nonce } = bodyOf(request, programRequest);
    return offerProgram(context, agent, { nonce, offer: program?.offer ?? null });
  });

  app.get<{ Params: { digest: string } }>(
    `${AGENT_PATHS.program}/:digest`,
    { exposeHeadRoute: false },
    async (request, reply) => {
      const file = program?.offer.files.find(({ sha256 }) => sha256 === request.params.digest);
      if (program === null || file === undefined) throw nothingHere();
      spend(downloads, proxies.sourceOf(request.socket.remoteAddress ?? "", request.headers));
      if (underWay >= MAX_AT_ONCE) {
        throw new LockstepError("TOO_MANY_REQUESTS", "Cannot answer now: too many ask at once.", {
          retryAfterMs: AGAIN_AFTER_MS,
        });
      }
      underWay += 1;
      reply.raw.once("close", () => {
        underWay -= 1;
      });
      return reply
        .headers({
          "content-type": "application/octet-stream",
          "content-length": String(file.bytes),
          "cache-control": "public, max-age=31536000, immutable",
          "repr-digest": `sha-256=:${Buffer.from(file.sha256, "hex").toString("base64")}:`,
        })
        .send(program.read(file.sha256));
    },
  );
}
