/**
 * Asks over HTTP. Every request has a connection of its own, so that a balancer may choose another replica; redirects
 * are answers like any other (custom headers would follow them to another origin); of an answer the status is kept and
 * nothing else is read. TLS is always verified.
 *
 * Where the connection comes from is `connect`'s matter: this machine, or a target's host.
 */
import { request } from "node:http";
import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls, rootCertificates } from "node:tls";
import type { ProbeAnswer, Prober } from "../../core/ports/prober.ts";
import type { SecretValue } from "../../core/secret-value.ts";
import { bareHost } from "../../lib/addresses.ts";
import { pause as pauseFor } from "../../lib/pause.ts";
import { withDeadline } from "../../lib/with-deadline.ts";
import type { HttpProbe } from "../../protocol/probe.ts";
import { type Connect, createDial, type DialOptions } from "./dial.ts";
import { fill } from "./fill.ts";
import { NoAnswer, reasonOf } from "./reasons.ts";
import { parseProbe } from "./spec.ts";

/** Between connections of one probe: a verifier is asked, not put under load. */
const GAP_MS = 100;
const MAX_HEADER_BYTES = 32_768;

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
      const answer = await askOnce(connect, spec, value, signal);
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

async function askOnce(
  connect: Connect,
  spec: HttpProbe,
  value: SecretValue,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const filled = fill(spec, value);
  if ("cannot" in filled) return cannotTell(filled.cannot);
  try {
    const status = await withDeadline(signal, spec.timeoutSeconds * 1_000, (limited) =>
      statusOf(connect, spec, filled, limited),
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

class TooLate extends Error {}

interface Contents {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
}

async function statusOf(
  connect: Connect,
  spec: HttpProbe,
  contents: Contents,
  limited: AbortSignal,
): Promise<number> {
  const url = new URL(spec.url);
  const isTls = url.protocol === "https:";
  const port = url.port === "" ? (isTls ? 443 : 80) : Number(url.port);
  let line: Duplex | null = null;
  const end = () => line?.destroy();
  const tooLate = new Promise<never>((_resolve, reject) => {
    const onAbort = () => reject(new TooLate());
    limited.addEventListener("abort", onAbort, { once: true });
    if (limited.aborted) onAbort();
  });
  try {
    const asked = async (): Promise<number> => {
      const plain = await connect(url.hostname, port, limited);
      line = plain;
      // Also between a request's end and the line's: an error without a listener would end the process.
      plain.on("error", () => undefined);
      if (limited.aborted) {
        plain.destroy();
        throw new TooLate();
      }
      const ready = isTls ? await secured(plain, url, spec.caCertificate) : plain;
      line = ready;
      return await answered(ready, url, spec, contents);
    };
    const asking = asked();
    asking.catch(() => undefined);
    return await Promise.race([asking, tooLate]);
  } finally {
    // The body is nobody's business, however long it is: with the status the line's work is done.
    end();
  }
}

async function secured(line: Duplex, url: URL, caCertificate: string | undefined): Promise<Duplex> {
  const host = bareHost(url.hostname);
  return await new Promise((resolve, reject) => {
    const socket = connectTls({
      socket: line,
      host,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(caCertificate === undefined ? {} : { ca: [...rootCertificates, caCertificate] }),
      // Said, because an environment variable could turn it off.
      rejectUnauthorized: true,
      minVersion: "TLSv1.2",
      ALPNProtocols: ["http/1.1"],
    });
    socket.on("error", reject);
    line.once("close", () => reject(new NoAnswer("the connection ended before an answer")));
    socket.once("secureConnect", () => resolve(socket));
  });
}

async function answered(line: Duplex, url: URL, spec: HttpProbe, contents: Contents): Promise<number> {
  return await new Promise((resolve, reject) => {
    const outgoing = request({
      method: spec.method,
      path: `${url.pathname}${url.search}`,
      headers: {
        ...contents.headers,
        Host: url.host,
        Connection: "close",
        ...(contents.body === null ? {} : { "Content-Length": contents.body.length }),
      },
      maxHeaderSize: MAX_HEADER_BYTES,
      createConnection: () => line,
    });
    outgoing.on("error", reject);
    outgoing.once("response", (answer) => {
      answer.on("error", () => undefined);
      resolve(answer.statusCode ?? 0);
    });
    outgoing.once("upgrade", (answer) => resolve(answer.statusCode ?? 0));
    outgoing.end(contents.body ?? undefined);
  });
}
