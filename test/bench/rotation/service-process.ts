/**
 * One service of the bench, as a user's own would be; it knows nothing of Lockstep. As `verifier` it accepts either of its
 * two values; as `caller` it sends its own with every call, so many a second. It listens in any case: that is how its
 * platform knows that it is ready. What became of its calls goes to the bench.
 *
 *   NAME         the service's name
 *   ROLE         verifier or caller
 *   KEY, KEY_FALLBACK   the secret; the fallback is accepted besides
 *   PORT_FILE    where it writes its port once it listens
 *   PEERS        addresses to call, blanks between
 *   PER_SECOND   calls a second
 *   REPORT_TO    the bench's address for counts
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { renameSync, writeFileSync } from "node:fs";
import { Agent, createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import type { Refusal, Told } from "./collector.ts";

const TICK_MS = 20;
const REPORT_EVERY_MS = 200;
const REPORT_TRIES = 5;
/** A naive push refuses hundreds; a few tell what happened. */
const REFUSALS_TOLD = 5;
const {
  NAME = "",
  ROLE,
  KEY = "",
  KEY_FALLBACK = "",
  PORT_FILE = "",
  PEERS = "",
  PER_SECOND = "0",
  REPORT_TO = "",
} = process.env;

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
const short = (text: string): string => (text === "" ? "nothing" : digest(text).toString("hex").slice(0, 8));
const slots = [KEY, KEY_FALLBACK].map((value) => ({ isSet: value !== "", digest: digest(value) }));
const SELF = `${NAME} ${process.pid} holds ${short(KEY)} and ${short(KEY_FALLBACK)}`;
function accepts(sent: unknown): boolean {
  if (typeof sent !== "string") return false;
  return slots.map((slot) => timingSafeEqual(digest(sent), slot.digest) && slot.isSet).includes(true);
}

const server = createServer((incoming, response) => {
  if (accepts(incoming.headers["x-internal-secret"])) response.writeHead(200).end();
  else response.writeHead(401, { "x-verifier": SELF }).end();
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
writeFileSync(`${PORT_FILE}.${process.pid}`, String((server.address() as AddressInfo).port));
renameSync(`${PORT_FILE}.${process.pid}`, PORT_FILE);
process.stdout.write("ready\n");

const agent = new Agent({ keepAlive: true, maxSockets: 64 });
const nothing = () => ({
  counts: { answered: 0, refused: 0, unreachable: 0 },
  strange: [] as string[],
  refusals: [] as Refusal[],
});
let told = nothing();
let underWay = 0;

function count(peer: string, { statusCode, headers }: Pick<IncomingMessage, "statusCode" | "headers">): void {
  if (statusCode === 200) told.counts.answered += 1;
  else if (statusCode === 502) told.counts.unreachable += 1;
  else if (statusCode === 401 || statusCode === 403) {
    told.counts.refused += 1;
    const verifier = String(headers["x-verifier"]);
    if (told.refusals.length < REFUSALS_TOLD)
      told.refusals.push({ caller: NAME, callerPid: process.pid, sent: short(KEY), peer, verifier });
  } else told.strange.push(`${peer} answered ${statusCode}`);
}

function call(peer: string): void {
  underWay += 1;
  let isOver = false;
  const end = (answer: Pick<IncomingMessage, "statusCode" | "headers">): void => {
    if (isOver) return;
    isOver = true;
    underWay -= 1;
    count(peer, answer);
  };
  const outgoing = request(peer, { agent, headers: { "x-internal-secret": KEY }, timeout: 5_000 });
  outgoing.on("response", (answer) => {
    answer.resume();
    end(answer);
  });
  outgoing.on("timeout", () => outgoing.destroy(new Error("too slow")));
  outgoing.on("error", () => end({ statusCode: 502, headers: {} }));
  outgoing.end();
}

/** Tries again: a caller that cannot tell ends with an error, and the bench misses it. */
async function report(): Promise<void> {
  const body = JSON.stringify({ caller: NAME, ...told } satisfies Told);
  told = nothing();
  for (let tries = 1; ; tries += 1) {
    if (await post(body)) return;
    if (tries === REPORT_TRIES) process.exit(1);
    await new Promise((resolve) => setTimeout(resolve, REPORT_EVERY_MS));
  }
}

function post(body: string): Promise<boolean> {
  return new Promise((resolve) => {
    const outgoing = request(REPORT_TO, { method: "POST" }, (answer) => {
      answer.resume().on("end", () => resolve(answer.statusCode === 204));
    });
    outgoing.on("error", () => resolve(false));
    outgoing.end(body);
  });
}

let timers: readonly NodeJS.Timeout[] = [];
if (ROLE === "caller") {
  const peers = PEERS.split(" ");
  let owed = 0;
  let turn = 0;
  timers = [
    setInterval(() => {
      owed += (Number(PER_SECOND) * TICK_MS) / 1_000;
      for (; owed >= 1; owed -= 1) {
        turn += 1;
        call(peers[turn % peers.length] ?? "");
      }
    }, TICK_MS),
    setInterval(() => void report(), REPORT_EVERY_MS),
  ];
}

process.once("SIGTERM", () => {
  for (const timer of timers) clearInterval(timer);
  const finish = async (): Promise<void> => {
    while (underWay > 0) await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    if (ROLE === "caller") await report();
    process.exit(0);
  };
  server.close();
  server.closeIdleConnections();
  if (ROLE === "caller") void finish();
  else server.once("close", () => process.exit(0));
});
