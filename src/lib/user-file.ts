/**
 * The one reader of files that a person or a setting names.
 *
 * Attacker, or a slip: a name that leads to a device without an end, a pipe that nobody writes to, a file of many
 * gigabytes. Defence: what is opened is looked at before and after (regular file or pipe, nothing else), opening never
 * waits, no more than the allowed bytes are read whatever the size says, and an abort ends the waiting at once.
 *
 * Leaves to others: whose file it is and who may write it, and what stands in it.
 */
import fs, { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { stat } from "node:fs/promises";
import { Socket } from "node:net";
import type { Readable } from "node:stream";
import { promisify } from "node:util";

export interface FileBounds {
  readonly maxBytes: number;
  /** True unless told: `<(…)` is a pipe. */
  readonly pipes?: boolean;
}

export type FileTrouble =
  | "missing"
  | "forbidden"
  | "directory"
  | "special"
  | "links"
  | "too-large"
  | "not-text"
  | "silent"
  | "interrupted"
  | "failed";

// Not a FileHandle: what reads a pipe owns its descriptor and closes it.
const open = promisify(fs.open);
const fstat = promisify(fs.fstat);
const read = promisify(fs.read);

const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);
const CHUNK_BYTES = 64 * 1024;
/** Settings are read before anything else runs: a pipe that stays silent must not hold the start. */
const SILENT_PIPE_MS = 10_000;
const LOOK_AGAIN_MS = 20;

/** Why a file was not read. Its message goes on after the file's name and quotes nothing: `does not exist`. */
export class UnreadableFile extends Error {
  override readonly name = "UnreadableFile";
  readonly trouble: FileTrouble;

  constructor(trouble: FileTrouble, { maxBytes }: Partial<FileBounds> = {}) {
    super(wordsOf(trouble, maxBytes));
    this.trouble = trouble;
  }
}

/** A regular file's or a pipe's bytes. Throws UnreadableFile. */
export async function readUserFile(path: string, bounds: FileBounds, signal?: AbortSignal): Promise<Buffer> {
  if (signal?.aborted === true) throw new UnreadableFile("interrupted");
  return untilAborted(signal, async () => {
    let descriptor: number | null = null;
    try {
      // Looked at before: only opening some devices has an effect.
      assertReadable(await stat(path), bounds);
      descriptor = await open(path, FLAGS);
      const status = await fstat(descriptor);
      assertReadable(status, bounds);
      if (!status.isFIFO()) return await readRegular(descriptor, bounds);
      const socket = new Socket({ fd: descriptor, readable: true, writable: false });
      descriptor = null;
      return await readPipe(socket, bounds, signal);
    } catch (error) {
      throw toUnreadable(error);
    } finally {
      if (descriptor !== null) closeSync(descriptor);
    }
  });
}

/** The same where nothing else runs yet, for settings. A pipe may stay silent for ten seconds. Throws UnreadableFile. */
export function readUserFileSync(path: string, bounds: FileBounds): Buffer {
  let descriptor: number | null = null;
  try {
    assertReadable(statSync(path), bounds);
    descriptor = openSync(path, FLAGS);
    const status = fstatSync(descriptor);
    assertReadable(status, bounds);
    return readDescriptor(descriptor, { ...bounds, pipe: status.isFIFO() });
  } catch (error) {
    throw toUnreadable(error);
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}

/** Everything that a stream gives until it ends: the standard input. An abort ends it. Throws UnreadableFile. */
export async function readStream(
  stream: Readable,
  bounds: FileBounds,
  signal?: AbortSignal,
): Promise<Buffer> {
  return untilAborted(signal, async () => {
    const kept = new Bounded(bounds);
    // A waiting read would keep the process.
    const abort = (): void => void stream.destroy();
    signal?.addEventListener("abort", abort, { once: true });
    try {
      for await (const chunk of stream) kept.add(Buffer.from(chunk));
      return kept.whole();
    } catch (error) {
      throw toUnreadable(error);
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  });
}

/** Strict UTF-8. Throws UnreadableFile. `keepMark`: a byte order mark belongs to the text. */
export function textOf(
  bytes: Uint8Array,
  { keepMark = false }: { readonly keepMark?: boolean } = {},
): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: keepMark }).decode(bytes);
  } catch {
    throw new UnreadableFile("not-text");
  }
}

function assertReadable(status: Stats, { maxBytes, pipes = true }: FileBounds): void {
  if (status.isDirectory()) throw new UnreadableFile("directory");
  if (!status.isFile() && !(pipes && status.isFIFO())) throw new UnreadableFile("special");
  if (status.isFile() && status.size > maxBytes) throw new UnreadableFile("too-large", { maxBytes });
}

class Bounded {
  readonly #bounds: FileBounds;
  readonly #chunks: Buffer[] = [];
  #size = 0;

  constructor(bounds: FileBounds) {
    this.#bounds = bounds;
  }

  add(chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size > this.#bounds.maxBytes) throw new UnreadableFile("too-large", this.#bounds);
    this.#chunks.push(chunk);
  }

  whole(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

/** What the size says is no promise: files grow, and those of /proc say 0. */
async function readRegular(descriptor: number, bounds: FileBounds): Promise<Buffer> {
  const kept = new Bounded(bounds);
  for (;;) {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    const { bytesRead } = await read(descriptor, chunk, 0, CHUNK_BYTES, null);
    if (bytesRead === 0) return kept.whole();
    kept.add(chunk.subarray(0, bytesRead));
  }
}

/** Waits in the event loop, where an abort is heard; a read in a thread could not be ended. */
function readPipe(socket: Socket, bounds: FileBounds, signal: AbortSignal | undefined): Promise<Buffer> {
  const kept = new Bounded(bounds);
  return new Promise((resolve, reject) => {
    const abort = (): void => void socket.destroy(new UnreadableFile("interrupted"));
    signal?.addEventListener("abort", abort, { once: true });
    socket.on("data", (chunk: Buffer) => {
      try {
        kept.add(chunk);
      } catch (error) {
        socket.destroy(toUnreadable(error));
      }
    });
    socket.once("end", () => resolve(kept.whole()));
    socket.once("error", reject);
    socket.once("close", () => signal?.removeEventListener("abort", abort));
  });
}

function readDescriptor(
  descriptor: number,
  { pipe, ...bounds }: FileBounds & { readonly pipe: boolean },
): Buffer {
  const kept = new Bounded(bounds);
  const deadline = performance.now() + SILENT_PIPE_MS;
  let heard = false;
  for (;;) {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    const count = readOnce(descriptor, chunk);
    if (count !== null && count > 0) {
      heard = true;
      kept.add(chunk.subarray(0, count));
    } else if (count === 0 && (heard || !pipe)) {
      return kept.whole();
    } else {
      // Nobody has opened a pipe for writing yet, or nothing was written since.
      if (performance.now() > deadline) throw new UnreadableFile("silent");
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_AGAIN_MS);
    }
  }
}

/** Null: nothing is there now. */
function readOnce(descriptor: number, chunk: Buffer): number | null {
  try {
    return readSync(descriptor, chunk);
  } catch (error) {
    if (codeOf(error) === "EAGAIN") return null;
    throw error;
  }
}

/** Also where the work itself cannot hear the abort: a file on a disk that does not answer. */
function untilAborted<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  if (signal === undefined) return work();
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new UnreadableFile("interrupted"));
    if (signal.aborted) {
      abort();
      return;
    }
    signal.addEventListener("abort", abort, { once: true });
    work()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", abort));
  });
}

function toUnreadable(error: unknown): UnreadableFile {
  if (error instanceof UnreadableFile) return error;
  switch (codeOf(error)) {
    case "ENOENT":
    case "ENOTDIR":
      return new UnreadableFile("missing");
    case "EACCES":
    case "EPERM":
      return new UnreadableFile("forbidden");
    case "EISDIR":
      return new UnreadableFile("directory");
    case "ENXIO":
    case "ENODEV":
      return new UnreadableFile("special");
    case "ELOOP":
      return new UnreadableFile("links");
    default:
      return new UnreadableFile("failed");
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function wordsOf(trouble: FileTrouble, maxBytes = 0): string {
  switch (trouble) {
    case "missing":
      return "does not exist";
    case "forbidden":
      return "may not be read";
    case "directory":
      return "is a directory";
    case "special":
      return "is not a regular file";
    case "links":
      return "is a link that leads back to itself";
    case "too-large":
      return `is larger than ${sizeText(maxBytes)}`;
    case "not-text":
      return "is not UTF-8 text";
    case "silent":
      return "is a pipe to which nobody writes";
    case "interrupted":
      return "was not read: it was interrupted";
    case "failed":
      return "cannot be read";
  }
}

function sizeText(bytes: number): string {
  return bytes >= 1024 * 1024 ? `${Math.floor(bytes / 1024 / 1024)} MiB` : `${Math.floor(bytes / 1024)} KiB`;
}
