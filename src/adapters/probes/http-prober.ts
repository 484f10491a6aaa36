/**
 * Asks over HTTP. Every request has a connection of its own, so that a balancer may choose another replica; redirects
 * are answers like any other (custom headers would follow them to another origin); of an answer the status is kept and
 * nothing else is read. TLS is always verified.
 *
 * Where the connection comes from is `connect`'s matter: this machine, or a target's host.
 */
import type { IncomingMessage } from "node:http";
import type { ProbeAnswer, Prober } from "../../core/ports/prober.ts";
import type { SecretValue } from "../../core/secret-value.ts";
import { pause as pauseFor } from "../../lib/pause.ts";
import { withDeadline } from "../../lib/with-deadline.ts";
import type { HttpProbe } from "../../protocol/probe.ts";
import { type Connect, createDial, type DialOptions } from "../outgoing/dial.ts";
import { exchange, TooLate } from "../outgoing/exchange.ts";
import { reasonOf } from "../outgoing/reasons.ts";
import { fill } from "./fill.ts";
import { parseProbe } from "./spec.ts";

/** Between connections of one probe: a verifier is asked, not put under load. */
const GAP_MS = 100;

export interface HttpProberOptions {
  readonly connect: Connect;
  readonly pause?: (delayMs: number, signal: AbortSignal) => Promise<void>;
}

/** Asks with a specification that was read already. Never throws. */
export type AskHttp = (spec: HttpProbe, value: SecretValue, signal: AbortSignal) => Promise<ProbeAnswer>;

export function createHttpProber({ connect, pause = pauseFor }: HttpProberOptions): AskHttp {
  return async (spec, value, signal) => {
    const answers: ProbeAnswer[] = [];
    while (answers.length < spec.connections) {
      if (answers.length > 0) await pause(GAP_MS, signal);
      const answer = await probeOnce(connect, spec, value, signal);
      answers.push(answer);
      // Nothing that follows could make it certain.
      if (answer.verdict === "cannot-tell") break;
    }
    return together(answers, spec.connections);
  };
}

/** For `from: server`: what else a specification asks for cannot be told from here. */
export function createServerProber(options: DialOptions & Pick<HttpProberOptions, "pause">): Prober {
  const { pause } = options;
  const ask = createHttpProber({ connect: createDial(options), ...(pause === undefined ? {} : { pause }) });
  return {
    async probe(raw, value, signal) {
      const { http } = parseProbe(raw);
      return http?.from === "server"
        ? await ask(http, value, signal)
        : cannotTell("only the target's host can ask this");
    },
  };
}

export function cannotTell(reason: string): ProbeAnswer {
  return { verdict: "cannot-tell", reason };
}

function together(answers: readonly ProbeAnswer[], wanted: number): ProbeAnswer {
  const last = answers.at(-1) ?? cannotTell("nothing was asked");
  const accepted = answers.filter(({ verdict }) => verdict === "accepted").length;
  const isUnanimous = answers.length === wanted && answers.every(({ verdict }) => verdict === last.verdict);
  if (wanted === 1) return last;
  const told = answers.filter(({ verdict }) => verdict !== "cannot-tell").length;
  if (isUnanimous) return { ...last, reason: `${last.reason}, on all of ${wanted} connections` };
  const rest = last.verdict === "cannot-tell" ? `; then ${last.reason}` : "";
  return cannotTell(told === 0 ? last.reason : `${accepted} of ${wanted} connections accepted it${rest}`);
}

async function probeOnce(
  connect: Connect,
  spec: HttpProbe,
  value: SecretValue,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const filled = fill(spec, value);
  if ("cannot" in filled) return cannotTell(filled.cannot);
  try {
    const url = new URL(spec.url);
    const { method, caCertificate } = spec;
    // The body is nobody's business, however long it is: with the status the line's work is done.
    const status = await withDeadline(signal, spec.timeoutSeconds * 1_000, (limited) =>
      exchange(connect, { url, method, caCertificate, ...filled }, statusOf, limited),
    );
    return { verdict: judge(spec, status), reason: `answered ${status}` };
  } catch (error) {
    if (signal.aborted) return cannotTell("given up");
    return cannotTell(
      error instanceof TooLate ? `no answer within ${spec.timeoutSeconds} s` : reasonOf(error),
    );
  }
}

function judge({ accepted, refused }: HttpProbe, status: number): ProbeAnswer["verdict"] {
  if (accepted.includes(status)) return "accepted";
  return refused.includes(status) ? "refused" : "cannot-tell";
}

function statusOf({ statusCode }: IncomingMessage): number {
  return statusCode ?? 0;
}
