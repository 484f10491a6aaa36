/**
 * One small service of the demo, as a user's own would be: a plain Node program that knows nothing of Lockstep. It
 * checks INTERNAL_AUTH_SECRET on every incoming call, and sends it with every call to its peers, several times a
 * second. What became of its calls it tells the demo; when nobody listens any more it ends, so that no demo, however
 * it ended, leaves one behind.
 *
 *   SERVICE_NAME           its name
 *   INTERNAL_AUTH_SECRET   the secret, sent and expected as `X-Internal-Secret`
 *   INTERNAL_AUTH_SECRET_FALLBACK   a second value that is also accepted while the secret moves (optional)
 *   PORT                   where it listens on loopback; 0 or nothing: any free one
 *   PORT_FILE              where it writes that port while it serves (optional)
 *   PEERS                  `name=http://127.0.0.1:1234`, blanks between
 *   REPORT_TO              the demo's address for reports
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

const CALL_EVERY_MS = 100;
const CALL_TIMEOUT_MS = 1_000;
/** So long may reports fail: the demo may be busy, but then it is gone. */
const ORPHANED_AFTER_MS = 5_000;
const PORT_TRIES = 40;

const {
  SERVICE_NAME = "service",
  INTERNAL_AUTH_SECRET = "",
  INTERNAL_AUTH_SECRET_FALLBACK = "",
  PORT = "0",
  PORT_FILE,
  PEERS = "",
} = process.env;
const reportTo = new URL(process.env["REPORT_TO"] ?? "http://127.0.0.1:1/");
const peers = PEERS.split(" ")
  .filter((peer) => peer !== "")
  .map((peer) => ({ name: peer.split("=", 1)[0] ?? "", url: peer.slice(peer.indexOf("=") + 1) }));
const agent = new Agent({ keepAlive: true });

/** Equal lengths, so that the comparison takes the same time whatever was sent. */
const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
const expected = [INTERNAL_AUTH_SECRET, INTERNAL_AUTH_SECRET_FALLBACK].map((value) => ({
  isSet: value !== "",
  digest: digest(value),
}));

/** 401 without the header, 403 with a wrong one. */
function judge(sent: string | string[] | undefined): number {
  if (typeof sent !== "string" || sent === "") return 401;
  // Both are always compared: the time taken must not tell which one it was.
  const matches = expected.map((slot) => timingSafeEqual(digest(sent), slot.digest) && slot.isSet);
  return matches.includes(true) ? 200 : 403;
}

const server = createServer((incoming, response) => {
  const status = incoming.url === "/healthz" ? 200 : judge(incoming.headers["x-internal-secret"]);
  response.writeHead(status, { "content-type": "text/plain" }).end(`${SERVICE_NAME} says ${status}\n`);
});

/** The status, or 0 when no answer came. */
function call(url: URL, options: { readonly secret?: string; readonly body?: string }): Promise<number> {
  return new Promise((resolve) => {
    const { secret, body } = options;
    const outgoing = request(url, {
      agent,
      method: body === undefined ? "GET" : "POST",
      timeout: CALL_TIMEOUT_MS,
      headers: {
        ...(secret === undefined ? {} : { "x-internal-secret": secret }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
    });
    outgoing.on("response", (answer) => {
      answer.resume();
      answer.on("end", () => resolve(answer.statusCode ?? 0));
      answer.on("error", () => resolve(0));
    });
    outgoing.on("timeout", () => outgoing.destroy());
    outgoing.on("error", () => resolve(0));
    outgoing.end(body);
  });
}

let lastHeardAt = Date.now();

async function callPeers(): Promise<void> {
  const calls = await Promise.all(
    peers.map(async ({ name, url }) => ({
      to: name,
      status: await call(new URL("/internal/ping", url), { secret: INTERNAL_AUTH_SECRET }),
    })),
  );
  const status = await call(reportTo, { body: JSON.stringify({ from: SERVICE_NAME, calls }) });
  if (status === 204) lastHeardAt = Date.now();
  if (Date.now() - lastHeardAt > ORPHANED_AFTER_MS) process.exit(0);
}

/** The predecessor on this port may still be ending. */
async function listen(): Promise<number> {
  for (let tries = 1; ; tries += 1) {
    const failure = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
      server.once("error", resolve);
      server.listen(Number(PORT), "127.0.0.1", () => resolve(null));
    });
    if (failure === null) return (server.address() as AddressInfo).port;
    if (failure.code !== "EADDRINUSE" || tries === PORT_TRIES) throw failure;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const port = await listen();
if (PORT_FILE !== undefined) {
  // Complete before it is seen.
  writeFileSync(`${PORT_FILE}.${process.pid}`, String(port));
  renameSync(`${PORT_FILE}.${process.pid}`, PORT_FILE);
}
process.stdout.write(`${SERVICE_NAME} is listening on ${port}\n`);

/** A successor may have written its own already. */
function end(): never {
  if (PORT_FILE !== undefined && readFileSync(PORT_FILE, "utf8") === String(port)) rmSync(PORT_FILE);
  process.exit(0);
}

let ending = false;
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    ending = true;
    server.close(end);
    server.closeIdleConnections();
    setTimeout(end, CALL_TIMEOUT_MS).unref();
  });
}
while (!ending) {
  await callPeers();
  await new Promise((resolve) => setTimeout(resolve, CALL_EVERY_MS));
}
