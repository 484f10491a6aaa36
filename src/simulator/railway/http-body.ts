/** Reading a request's body whole, up to a limit. */
import type { IncomingMessage } from "node:http";

const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** null: too long. */
export async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    const buffer = Buffer.from(chunk);
    bytes += buffer.length;
    if (bytes > MAX_BODY_BYTES) return null;
    chunks.push(buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}
