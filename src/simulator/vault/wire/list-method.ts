/**
 * Node's HTTP parser does not know the method LIST, and there is no way to teach it. So each request line that begins
 * with it is rewritten before the parser sees it, to a method that Vault does not have.
 */
import type { Socket } from "node:net";
import { Duplex } from "node:stream";

const STAND_IN = "REPORT";

/** What the client sent. */
export function sentMethod(method: string | undefined): string {
  return method === STAND_IN ? "LIST" : (method ?? "GET");
}

/** The socket as an HTTP server should read it. A client that waits for answers begins each request in a chunk of its own. */
export function readingList(socket: Socket): Duplex {
  const duplex = new Duplex({
    read: () => void socket.resume(),
    write: (chunk, _encoding, done) => void socket.write(chunk, done),
    final: (done) => void socket.end(done),
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  Object.defineProperty(duplex, "remoteAddress", { value: socket.remoteAddress });
  socket.on("data", (chunk: Buffer) => {
    if (!duplex.push(rewritten(chunk))) socket.pause();
  });
  socket.on("end", () => duplex.push(null));
  socket.on("close", () => duplex.destroy());
  socket.on("error", (error) => duplex.destroy(error));
  // A client that hangs up is no failure of ours.
  duplex.on("error", () => {});
  return duplex;
}

function rewritten(chunk: Buffer): Buffer {
  const isList = chunk.subarray(0, 6).toString("latin1") === "LIST /";
  return isList ? Buffer.concat([Buffer.from(STAND_IN), chunk.subarray(4)]) : chunk;
}
