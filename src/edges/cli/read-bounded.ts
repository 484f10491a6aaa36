/** The one way in which the command line reads a file that somebody named: regular ones alone, and never without end. */
import { constants } from "node:fs";
import { open } from "node:fs/promises";

/**
 * Throws the system's error; with code EFBIG above `maxBytes`, with EISDIR for a directory, and with ENOTREG for pipes,
 * sockets and devices, which are not waited for.
 */
export async function readBounded(path: string, maxBytes: number): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const stats = await file.stat();
    if (stats.isDirectory()) throw coded("EISDIR");
    if (!stats.isFile()) throw coded("ENOTREG");
    // Not by its size: files of /proc say 0, and others grow meanwhile.
    const buffer = Buffer.alloc(maxBytes + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
      length += bytesRead;
      if (length > maxBytes) throw coded("EFBIG");
      if (bytesRead === 0) return buffer.subarray(0, length);
    }
  } finally {
    await file.close();
  }
}

/** As a sentence goes on: "it …". */
export function whyUnreadable(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return "does not exist";
    case "EACCES":
    case "EPERM":
      return "may not be read";
    case "EISDIR":
      return "is a directory";
    case "ENOTREG":
    case "ENXIO":
      return "is not a regular file";
    case "EFBIG":
      return "is too large";
    case "ERR_ENCODING_INVALID_ENCODED_DATA":
      return "is not UTF-8 text";
    default:
      return "cannot be read";
  }
}

function coded(code: string): Error {
  return Object.assign(new Error(code), { code });
}
