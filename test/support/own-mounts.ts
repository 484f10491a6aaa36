/**
 * A disk that can be filled, or go bad, under a program that was started within mounts of its own: nobody else on this
 * machine sees what is mounted there, and it is gone with the program.
 */
import { execFileSync } from "node:child_process";
import { closeSync, existsSync, openSync, readdirSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

/** Before a program's words. It becomes the program: the process id stays. */
export const IN_OWN_MOUNTS = ["unshare", "--mount", "--propagation", "private"] as const;

const FILLER = "a-forgotten-log";
const SMALL = "256k";

export interface OwnMounts {
  /** Where this process sees a path as the program sees it. */
  seen(path: string): string;
  /** A small disk with the same files in place of a directory, filled to the last byte. */
  fill(directory: string): void;
  /** Takes away what filled it. */
  free(directory: string): void;
  /** What Linux does with a disk that fails. */
  turnReadOnly(directory: string): void;
  /** After a repair. */
  turnWritable(directory: string): void;
  /** Another program, or `/dev/null`, where this one stood. */
  cover(path: string, by: string): void;
  /** The directory as it was, with the files that stand there now. */
  giveBack(directory: string): void;
}

export function ownMountsOf(pid: number): OwnMounts {
  const seen = (path: string) => `/proc/${pid}/root${path}`;
  const inside = (...words: readonly string[]) =>
    execFileSync("nsenter", [`--mount=/proc/${pid}/ns/mnt`, ...words], { encoding: "utf8" });
  const copied = (from: string, to: string) => inside("cp", "-a", `${from}/.`, to);
  return {
    seen,
    fill(directory) {
      const [uid, gid] = inside("stat", "-c", "%u %g", directory).trim().split(" ");
      const aside = inside("mktemp", "-d").trim();
      copied(directory, aside);
      inside(
        "mount",
        "-t",
        "tmpfs",
        "-o",
        `size=${SMALL},mode=0700,uid=${uid},gid=${gid}`,
        "none",
        directory,
      );
      copied(aside, directory);
      inside("rm", "-r", aside);
      writeToTheEnd(join(seen(directory), FILLER));
    },
    free: (directory) => rmSync(join(seen(directory), FILLER)),
    turnReadOnly(directory) {
      inside("mount", "--bind", directory, directory);
      inside("mount", "-o", "remount,ro,bind", directory);
    },
    turnWritable: (directory) => void inside("mount", "-o", "remount,rw,bind", directory),
    cover(path, by) {
      if (existsSync(path)) inside("mount", "--bind", by, path);
    },
    giveBack(directory) {
      const aside = inside("mktemp", "-d").trim();
      copied(directory, aside);
      inside("umount", directory);
      for (const name of readdirSync(seen(directory)))
        rmSync(join(seen(directory), name), { recursive: true });
      copied(aside, directory);
      inside("rm", "-r", aside);
    },
  };
}

function writeToTheEnd(path: string): void {
  const file = openSync(path, "w");
  try {
    for (const block = Buffer.alloc(4_096); ; ) writeSync(file, block);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  } finally {
    closeSync(file);
  }
}
