/**
 * What is kept beside nobody's file: markers and copies for restoring in ~/.lockstep, with the names and the meaning of
 * the script's (script.ts), so that an account may change to a shell and back.
 */
import { createHash, randomBytes } from "node:crypto";
import { formatOrder, type Order, parseOrder } from "../../../core/order.ts";
import type { HostFile, HostWrite } from "../../../core/ports/host.ts";
import { refusal } from "../script/answer.ts";
import { MAX_FILE_BYTES } from "../script/script.ts";
import type { Refuse } from "./sftp-safety.ts";
import { SFTP_STATUS, SftpFailure, type SftpSession } from "./sftp-session.ts";

/** One call's view: resolved path, state files, and who we are. */
export interface Place {
  readonly session: SftpSession;
  readonly path: string;
  readonly directory: string;
  readonly state: string;
  /** What is kept of the file, whatever links lead to it. */
  readonly file: string;
  /** What an earlier release kept, by the path as it was written. */
  readonly asked: string;
  readonly me: number | null;
  readonly refuse: Refuse;
}

export async function findPlace(session: SftpSession, path: string, action: string): Promise<Place> {
  const home = await session.realpath(".");
  const resolved = path.startsWith("~/") ? `${home === "/" ? "" : home}/${path.slice(2)}` : path;
  const state = `${home === "/" ? "" : home}/.lockstep`;
  const owner = (await session.lstat(state))?.uid ?? (await session.lstat(home))?.uid ?? 0;
  const directory = resolved.slice(0, resolved.lastIndexOf("/")) || "/";
  return {
    session,
    path: resolved,
    directory,
    state,
    file: `${state}/${sha256(await truePath(session, resolved))}`,
    asked: `${state}/${sha256(resolved)}`,
    // A root-owned home (chroot) tells nothing about who we are, unless we are root.
    me: owner === 0 ? null : owner,
    refuse: (word, rest) => refusal(action, { word, rest }),
  };
}

/** The path with every link on its way followed, as far as it exists. */
async function truePath(session: SftpSession, path: string): Promise<string> {
  const parts = path.split("/");
  for (let at = parts.length - 1; at > 1; at -= 1) {
    const way = parts.slice(0, at).join("/");
    if ((await session.lstat(way)) === null) continue;
    const real = await session.realpath(way);
    return [real === "/" ? "" : real, ...parts.slice(at)].join("/");
  }
  return path;
}

export async function readMarker(place: Place): Promise<Order | null> {
  const text =
    (await readState(place, "order")) ??
    (place.asked === place.file ? null : await readState({ ...place, file: place.asked }, "order"));
  if (text === null) return null;
  const order = parseOrder(text.toString("latin1").trim());
  if (order === null) throw place.refuse("unreadable", `${place.file}.order`);
  return order;
}

/** False where the home is not ours to write (chroot): then nothing can be restored later, and no marker is left. */
export async function needState({ session, state, refuse }: Place): Promise<boolean> {
  if ((await session.lstat(state)) === null) {
    try {
      await session.makeDirectory(state);
    } catch (error) {
      if (!(error instanceof SftpFailure) || error.status === null) throw error;
      if (error.status === SFTP_STATUS.permissionDenied) return false;
      // Another writer may just have made it: the next look decides.
      if ((await session.lstat(state)) === null) throw error;
    }
  }
  const found = await session.lstat(state);
  if (found === null || (found.mode & 0o170077) !== 0o040000) throw refuse("unsafe", `mode 0700 ${state}`);
  return true;
}

export async function readState(place: Place, name: string): Promise<Buffer | null> {
  try {
    return await place.session.read(`${place.file}.${name}`, MAX_FILE_BYTES);
  } catch (error) {
    if (error instanceof SftpFailure && error.status === SFTP_STATUS.noSuchFile) return null;
    throw error;
  }
}

export async function writeState(place: Place, name: string, content: string | Uint8Array): Promise<void> {
  const target = `${place.file}.${name}`;
  // Another writer may be at the same place at the same time: nothing locks them out here.
  const fresh = `${target}.new-${randomBytes(6).toString("hex")}`;
  await place.session.create(fresh, typeof content === "string" ? Buffer.from(`${content}\n`) : content);
  await place.session.replace(fresh, target);
}

/** The copy first, then the marker: as in the script. `keep` null: the copy there is being put back, and stays so long. */
export async function recordState(
  place: Place,
  before: HostFile,
  write: HostWrite,
  keep: boolean | null,
): Promise<void> {
  if (keep === true && before.state === "present") {
    await writeState(place, "keep", before.content);
    await writeState(place, "wrote", sha256(write.content));
  } else if (keep !== null) {
    await discard(place);
  }
  await writeState(place, "order", formatOrder(write.order));
  if (place.asked === place.file) return;
  for (const name of ["order", "keep", "wrote"]) await place.session.remove(`${place.asked}.${name}`);
}

export async function discard({ session, file, asked }: Place): Promise<void> {
  for (const kept of new Set([file, asked])) {
    for (const name of ["keep", "wrote"]) await session.remove(`${kept}.${name}`);
  }
}

export function sha256(bytes: string | Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
