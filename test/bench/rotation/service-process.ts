/**
 * One service of the bench, as a user's own would be; it knows nothing of Lockstep. As `verifier` it accepts either of its
 * two values; as `caller` it sends its own with every call, so many a second. It listens in any case: that is how its
 * platform knows that it is ready. What became of its calls goes to the bench.
 *
 *   ROLE         verifier or caller
 *   KEY, KEY_FALLBACK   the secret; the fallback is accepted besides
 *   PORT_FILE    where it writes its port once it listens
 *   PEERS        addresses to call, blanks between
 *   PER_SECOND   calls a second
 *   REPORT_TO    the bench's address for counts
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { renameSync, writeFileSync } from "node:fs";
import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

const TICK_MS = 20;
const REPORT_EVERY_MS = 200;
const {
  ROLE,
  KEY = "",
  KEY_FALLBACK = "",
  PORT_FILE = "",
  PEERS = "",
  PER_SECOND = "0",
  REPORT_TO = "",
} = process.env;

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
const slots = [KEY, KEY_FALLBACK].map((value) => ({ isSet: value !== "", digest: digest(value) }));
function accepts(sent: unknown): boolean {
  if (typeof sent !== "string") return false;
  return slots.map((slot) => timingSafeEqual(digest(sent), slot.digest) && slot.isSet).includes(true);
}

const server = createServer((incoming, response) => {
  response.writeHead(accepts(incoming.headers["x-internal-secret"]) ? 200 : 401).end();
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
writeFileSync(`${PORT_FILE}.${process.pid}`, String((server.address() as AddressInfo).port));
renameSync(`${PORT_FILE}.${process.pid}`, PORT_FILE);
process.stdout.write("ready\n");

const agent = new Agent({ keepAlive: true, maxSockets: 64 });
let counts = { answered: 0, refused: 0, unreachable: 0 };
let underWay = 0;

function call(peer: string): void {
  underWay += 1;
  const end = (what: keyof typeof counts): void => {
    counts[what] += 1;
    underWay -= 1;
  };
  const outgoing = request(peer, { agent, headers: { "x-internal-secret": KEY }, timeout: 5_000 });
  outgoing.on("response", (answer) => {
    answer.resume();
    const { statusCode } = answer;
    end(
      statusCode === 200 ? "answered" : statusCode === 401 || statusCode === 403 ? "refused" : "unreachable",
    );
  });
  outgoing.on("timeout", () => outgoing.destroy(new Error("too slow")));
  outgoing.on("error", () => end("unreachable"));
  outgoing.end();
}

async function report(): Promise<void> {
  const told = counts;
  counts = { answered: 0, refused: 0, unreachable: 0 };
  await new Promise<void>((resolve) => {
    const outgoing = request(REPORT_TO, { method: "POST" }, (answer) => answer.resume().on("end", resolve));
    outgoing.on("error", () => process.exit(0));
    outgoing.end(JSON.stringify(told));
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
