/**
 * `Host` for accounts that may use SFTP and nothing else. Unfenced, and says so: SFTP can neither lock nor compare and
 * set, so a write that was sent can land after a newer one. The content and the order's marker are still compared
 * right before the rename, which finds nearly all races without being a promise.
 *
 * It shows no ACLs and keeps none: `target test` says so where a group may read.
 *
 * State has the names and the meaning of the script's (script.ts), so an account may change to a shell and back.
 * Nothing can be run.
 */
import { randomBytes } from "node:crypto";
import type { SFTPWrapper } from "ssh2";
import { LockstepError } from "../../../core/errors.ts";
import { formatOrder, mayWrite, type Order } from "../../../core/order.ts";
import type { Host, HostFile, HostWrite, ProcessSeen, RunResult } from "../../../core/ports/host.ts";
import { isOver } from "../../../lib/with-deadline.ts";
import { refusal } from "../script/answer.ts";
import { assertPlainPath } from "../script/assert-plain-path.ts";
import { MAX_FILE_BYTES } from "../script/script.ts";
import type { SshConnection } from "./connection.ts";
import type { SshConnections } from "./connections.ts";
import { labelOf, type SshDestination } from "./destination.ts";
import { unreachable } from "./errors.ts";
import { assertSafeWay, lookAtFile, type Refuse } from "./sftp-safety.ts";
import { SFTP_STATUS, SftpFailure, SftpSession } from "./sftp-session.ts";
import {
  discard,
  findPlace,
  needState,
  type Place,
  readMarker,
  readState,
  recordState,
  sha256,
  writeState,
} from "./sftp-state.ts";

/** Set right before the request that cannot be taken back. */
interface Progress {
  begun: boolean;
}

export class SftpHost implements Host {
  readonly fenced = false;
  readonly #connections: SshConnections;
  readonly #destination: SshDestination;
  readonly #label: string;

  constructor(connections: SshConnections, destination: SshDestination) {
    this.#connections = connections;
    this.#destination = destination;
    this.#label = labelOf(destination);
  }

  async read(path: string, signal: AbortSignal): Promise<HostFile> {
    return await this.#at("read", path, signal, async (place) => await readFile(place));
  }

  async write(path: string, write: HostWrite, signal: AbortSignal): Promise<void> {
    await this.#at("write", path, signal, async (place, progress) => {
      if (write.content.length > MAX_FILE_BYTES) throw place.refuse("large", path);
      await replaceFile(place, write, { keep: write.keepCopy === true, signal, progress });
    });
  }

  async restore(path: string, order: Order, signal: AbortSignal): Promise<void> {
    await this.#at("restore", path, signal, async (place, progress) => {
      const content = await readState(place, "keep");
      const wrote = await readState(place, "wrote");
      if (content === null || wrote === null) throw place.refuse("nothing", "");
      // The script notes behind it how it wrote.
      const [expectedDigest = ""] = wrote.toString("latin1").trim().split(" ");
      await replaceFile(
        place,
        { content, expectedDigest, order, mode: 0o600 },
        { keep: null, signal, progress },
      );
      await discard(place);
    });
  }

  async hasRestoreCopy(path: string, signal: AbortSignal): Promise<boolean> {
    return await this.#at("look at the copy of", path, signal, async ({ session, file }) => {
      return (
        (await session.lstat(`${file}.keep`)) !== null && (await session.lstat(`${file}.wrote`)) !== null
      );
    });
  }

  async discardRestoreCopy(path: string, signal: AbortSignal): Promise<void> {
    await this.#at("discard the copy of", path, signal, async (place) => {
      await discard(place);
      await dropLeft(place);
    });
  }

  async run(): Promise<RunResult> {
    throw new LockstepError("UNSUPPORTED", `Cannot run a command on ${this.#label}: it has SFTP alone.`);
  }

  async lookIntoProcess(): Promise<ProcessSeen> {
    return { state: "cannot-tell", reason: "the account has SFTP alone, and may ask for no process" };
  }

  /** Connections are kept by the pool, for whoever comes next. */
  async close(): Promise<void> {}

  async #at<T>(
    verb: string,
    path: string,
    signal: AbortSignal,
    work: (place: Place, progress: Progress) => Promise<T>,
  ): Promise<T> {
    const action = `${verb} ${path} on ${this.#label}`;
    assertPlainPath(action, path);
    for (;;) {
      const outcome = await this.#connections.use(this.#destination, signal, async (connection, fresh) => {
        let sftp: SFTPWrapper;
        try {
          sftp = await connection.sftp(signal);
        } catch (error) {
          // A kept line may have died unnoticed, and nothing was sent: once more, on a new one.
          if (fresh || signal.aborted) throw error;
          return null;
        }
        return { value: await this.#within(connection, sftp, { action, path, signal, work }) };
      });
      if (outcome !== null) return outcome.value;
    }
  }

  async #within<T>(
    connection: SshConnection,
    sftp: SFTPWrapper,
    { action, path, signal, work }: Call<T>,
  ): Promise<T> {
    // ssh2 leaves requests unanswered for good when their line dies, so its end ends them here.
    const over = new AbortController();
    const end = () => over.abort();
    const stopListening = connection.onClose(end);
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    const session = new SftpSession(sftp, over.signal);
    const progress: Progress = { begun: false };
    let place: Place | null = null;
    try {
      place = await findPlace(session, path, action);
      return await work(place, progress);
    } catch (error) {
      // "It failed" is all that SFTP says of a disk.
      const isPlain = error instanceof SftpFailure && error.status === SFTP_STATUS.failure;
      const disk = isPlain && place !== null ? await badDisk(place) : null;
      throw disk ?? translate(error, action, this.#label, progress, path);
    } finally {
      stopListening();
      signal.removeEventListener("abort", end);
      session.end();
    }
  }
}

interface Call<T> {
  readonly action: string;
  readonly path: string;
  readonly signal: AbortSignal;
  readonly work: (place: Place, progress: Progress) => Promise<T>;
}

async function readFile(place: Place): Promise<HostFile> {
  const { session, path, directory, refuse } = place;
  const order = await readMarker(place);
  if ((await session.lstat(directory)) === null) return { state: "absent", order };
  await assertSafeWay(session, [directory, await session.realpath(directory)], place.me, refuse);
  const found = await lookAtFile(session, path, place.me, refuse);
  if (found === null) return { state: "absent", order };
  const content = await session.read(path, MAX_FILE_BYTES);
  if (content.length > MAX_FILE_BYTES) throw refuse("large", path);
  return { state: "present", content, digest: sha256(content), mode: found.mode & 0o777, order };
}

async function replaceFile(
  place: Place,
  write: HostWrite,
  { keep, signal, progress }: { keep: boolean | null; signal: AbortSignal; progress: Progress },
): Promise<void> {
  const { session, path, directory, refuse } = place;
  const before = await readFile(place);
  assertNewest(before.order, write, refuse);
  assertExpected(before, write, refuse);
  const stateful = await needState(place);
  const name = `.lockstep-${randomBytes(10).toString("hex")}`;
  const temporary = `${directory === "/" ? "" : directory}/${name}`;
  await assertNotFixed(place, async () => {
    await dropLeft(place);
    if (stateful) await writeState(place, "temp", name);
    await session.create(temporary, new Uint8Array());
    await session.remove(temporary);
  });
  try {
    await session.create(temporary, write.content);
    const rights = await session.lstat(path);
    await session.setRights(temporary, {
      mode: rights === null ? write.mode & 0o777 : rights.mode & 0o777,
      ...(rights === null ? {} : { uid: rights.uid, gid: rights.gid }),
    });
    // A marker must not be lowered by whoever was stopped meanwhile.
    assertNewest(await readMarker(place), write, refuse);
    if (isOver(signal)) throw new SftpFailure(null);
    if (stateful) await recordState(place, before, write, keep);
    assertExpected(await readFile(place), write, refuse);
    if (isOver(signal)) throw new SftpFailure(null);
    progress.begun = true;
    await session.replace(temporary, path);
  } catch (error) {
    if (!(error instanceof SftpFailure && error.status === null)) await session.remove(temporary);
    throw error;
  }
  await session.remove(`${place.file}.temp`);
}

/**
 * Immutable or append-only: SFTP's word for it is "denied", as for a missing right. Found out before anything is marked,
 * and without a byte of the value: what is made in such a directory can never leave it.
 */
async function assertNotFixed(place: Place, tryDirectory: () => Promise<void>): Promise<void> {
  const { session, path, directory, state, refuse } = place;
  // What we made tells who we are, also where the home tells nothing.
  const self = place.me ?? (await session.lstat(state))?.uid;
  const found = await session.lstat(path);
  const isOurs = found !== null && found.uid === self && (found.mode & 0o200) !== 0;
  if (isOurs && !(await session.opens(path))) throw refuse("fixed", path);
  try {
    await tryDirectory();
  } catch (error) {
    const isDenied = error instanceof SftpFailure && error.status === SFTP_STATUS.permissionDenied;
    const at = isDenied ? await session.lstat(directory) : null;
    // Its mode allows it.
    if (at !== null && at.uid === self && (at.mode & 0o300) === 0o300) throw refuse("fixed", directory);
    throw error;
  }
}

/** What a crash left of a write: its name was noted before it held anything. */
async function dropLeft(place: Place): Promise<void> {
  const left = (await readState(place, "temp"))?.toString("latin1").trim() ?? "";
  if (!/^\.lockstep-[0-9a-f]+$/.test(left)) return;
  await place.session.remove(`${place.directory === "/" ? "" : place.directory}/${left}`);
  await place.session.remove(`${place.file}.temp`);
}

/** Null: there is room, or the server does not tell. */
async function badDisk({ session, directory, state, refuse }: Place): Promise<LockstepError | null> {
  for (const at of [directory, state]) {
    const room = await session.room(at);
    if (room === "none") return refuse("full", at);
    if (room === "read-only") return refuse("read-only", at);
  }
  return null;
}

function assertNewest(marker: Order | null, { order }: HostWrite, refuse: Refuse): void {
  if (marker !== null && !mayWrite(order, marker)) throw refuse("order", formatOrder(marker));
}

function assertExpected(found: HostFile, write: HostWrite, refuse: Refuse): void {
  const digest = found.state === "absent" ? "absent" : found.digest;
  if (digest !== write.expectedDigest) throw refuse("conflict", "");
}

function translate(error: unknown, action: string, label: string, progress: Progress, path: string): unknown {
  if (!(error instanceof SftpFailure)) return error;
  if (error.status === null) {
    return progress.begun
      ? new LockstepError(
          "TARGET_OUTCOME_UNKNOWN",
          `Cannot tell whether it worked to ${action}: no answer came.`,
        )
      : unreachable(label, "the line was lost or silent");
  }
  // Another writer took our temporary file for one that was left.
  if (error.status === SFTP_STATUS.noSuchFile) return refusal(action, { word: "conflict", rest: "" });
  if (error.status === SFTP_STATUS.permissionDenied) return refusal(action, { word: "denied", rest: path });
  if (error.status === SFTP_STATUS.unsupported) {
    return new LockstepError(
      "UNSUPPORTED",
      `Cannot ${action}: the server cannot replace a file atomically.`,
      {
        hint: "It needs posix-rename@openssh.com; use OpenSSH's internal-sftp, or an account with a shell.",
      },
    );
  }
  return refusal(action, { word: "failed", rest: progress.begun ? "place" : "space" });
}
