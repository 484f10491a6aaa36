import type { Order } from "../order.ts";

/**
 * A machine with files and processes. Implementations: `ssh` and, on a managed host, `local`. Placements, formats and
 * activation are written once above it.
 *
 * Every method takes a signal; after it aborts, a method that had begun a write throws TARGET_OUTCOME_UNKNOWN.
 * Unreachable hosts throw TARGET_UNREACHABLE, refused logins TARGET_CREDENTIAL_REJECTED, a wrong host key
 * TARGET_HOST_KEY, missing rights TARGET_PERMISSION.
 */
export interface Host {
  /** False where the host cannot compare and set (SFTP only): such a host is unfenced and says so. */
  readonly fenced: boolean;

  /** Missing files are an answer. Unsafe ones (symlink, foreign owner, wide mode, parents writable by others) throw FILE_UNSAFE. */
  read(path: string, signal: AbortSignal): Promise<HostFile>;

  /**
   * Replaces the file atomically (random temp name, exclusive creation, fsync, rename), if and only if its content
   * still has `expectedDigest` (WRITE_CONFLICT otherwise) and the file's order marker is not newer (ORDER_REFUSED
   * otherwise; an equal order may repeat with the digest that it was given with, and with no other). The marker belongs to
   * the file, whatever links lead to it. A copy for restoring is kept beside, mode 0600, only where `keepCopy` asks for
   * it; otherwise one of an earlier write is removed, because what it replaced can not be put back any more.
   * Owner, mode and ACL of an existing file are kept; a new one gets `mode`.
   */
  write(path: string, write: HostWrite, signal: AbortSignal): Promise<void>;

  /** Puts the copy kept by `write` back, under the same compare-and-set with a new order; NOT_FOUND when there is none. */
  restore(path: string, order: Order, signal: AbortSignal): Promise<void>;

  /** Whether `restore` would find a copy: to know before the first of several files is put back. */
  hasRestoreCopy(path: string, signal: AbortSignal): Promise<boolean>;

  /** Removes the copy that `write` kept, and what a crash left of a write there. Repeating is harmless. */
  discardRestoreCopy(path: string, signal: AbortSignal): Promise<void>;

  /** Runs a program without a shell of ours: argv is quoted exactly; data goes over stdin. A non-zero exit is an answer. */
  run(argv: readonly string[], options: RunOptions, signal: AbortSignal): Promise<RunResult>;

  /**
   * Looks at what a process was started with, and compares inside the host: values never leave it. Not seeing is an
   * answer, with the remedy in its reason. UNSUPPORTED where systemd cannot be asked, TARGET_MISSING for an unknown unit.
   */
  lookIntoProcess(look: ProcessLook, signal: AbortSignal): Promise<ProcessSeen>;

  close(): Promise<void>;
}

export type HostFile =
  | { readonly state: "absent"; readonly order: Order | null }
  | {
      readonly state: "present";
      readonly content: Uint8Array;
      /** sha256 of the content, hex: what `write` compares. */
      readonly digest: string;
      /** For example 0o600. */
      readonly mode: number;
      /** The marker left by the last write of ours, when there is one. */
      readonly order: Order | null;
      /** It has further names, or is a mount of its own; left out where it has not, or the host cannot tell. */
      readonly shared?: "links" | "mount";
    };

export interface HostWrite {
  readonly content: Uint8Array;
  /** "absent" when the file must not exist yet. */
  readonly expectedDigest: string | "absent";
  readonly order: Order;
  /** For new files, for example 0o600. */
  readonly mode: number;
  /** What is replaced may have to be put back. */
  readonly keepCopy?: boolean;
  /**
   * What is meant for a file that has further names or is mounted by itself; left out, it is refused (FILE_SHARED).
   * `replace`: further names keep the old content; a mount is refused. `in-place`: the file's own bytes change, so that
   * every name shows them: not at once, and a crash in the middle leaves a part, which then nobody writes over unseen.
   */
  readonly how?: "replace" | "in-place";
}

/** How a process is found on its host: a unit's main process (`systemd-user`: of one's own manager), or the number in a file that nobody else may write. */
export type ProcessName =
  | { readonly kind: "systemd" | "systemd-user"; readonly unit: string }
  | { readonly kind: "pid-file"; readonly path: string };

export interface ProcessLook {
  readonly process: ProcessName;
  /** Names of environment variables: letters, digits and _. */
  readonly keys: readonly string[];
  /** 64 hex digits, fresh for each look, so that an answer tells nothing about the next. */
  readonly nonce: string;
}

export type ProcessSeen =
  | {
      readonly state: "seen";
      readonly life: ProcessLife;
      /** By key: sha256 of the nonce's text followed by the value's bytes, hex. Keys that it was not given are left out. */
      readonly digests: ReadonlyMap<string, string>;
    }
  /** No process runs. */
  | { readonly state: "none" }
  /** It starts, stops, or was another one after the look than before it. */
  | { readonly state: "changing"; readonly reason: string }
  | { readonly state: "cannot-tell"; readonly reason: string };

/** One life of a process: a number alone may be another's later. */
export type ProcessLife = {
  readonly bootId: string;
  readonly pid: number;
  /** Clock ticks since boot. */
  readonly startedAt: number;
};

export interface RunOptions {
  readonly stdin?: Uint8Array;
  readonly timeoutMs: number;
  readonly maxOutputBytes?: number;
}

export interface RunResult {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}
