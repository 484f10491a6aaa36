/** The few SFTP requests that the host needs, as promises. Failures are `SftpFailure`: a status, never a server's text. */
import type { Attributes, SFTPWrapper } from "ssh2";

/** draft-ietf-secsh-filexfer-02, section 7. */
export const SFTP_STATUS = {
  endOfFile: 1,
  noSuchFile: 2,
  permissionDenied: 3,
  failure: 4,
  unsupported: 8,
} as const;

export class SftpFailure extends Error {
  /** Null when no answer came: the line was lost. */
  readonly status: number | null;

  constructor(status: number | null) {
    super("an SFTP request failed");
    this.status = status;
  }
}

const CHUNK_BYTES = 32 * 1024;

/** Of statvfs@openssh.com (OpenSSH's PROTOCOL, section 4.2). */
type FileSystem = Readonly<Record<"f_bavail" | "f_favail" | "f_files" | "f_flag", number | bigint | string>>;
/** SSH2_FXE_STATVFS_ST_RDONLY. */
const READ_ONLY = 1;

export class SftpSession {
  readonly #sftp: SFTPWrapper;
  readonly #signal: AbortSignal;

  /** After `signal` aborts, requests fail at once: a silent server cannot hold the caller. */
  constructor(sftp: SFTPWrapper, signal: AbortSignal) {
    this.#sftp = sftp;
    this.#signal = signal;
  }

  /** Null when nothing is there. */
  async lstat(path: string): Promise<Attributes | null> {
    try {
      return await this.#request<Attributes>((done) => this.#sftp.lstat(path, done));
    } catch (error) {
      if (error instanceof SftpFailure && error.status === SFTP_STATUS.noSuchFile) return null;
      throw error;
    }
  }

  async realpath(path: string): Promise<string> {
    return await this.#request<string>((done) => this.#sftp.realpath(path, done));
  }

  /** At most `maxBytes` and one more, so that a longer file shows. */
  async read(path: string, maxBytes: number): Promise<Buffer> {
    const handle = await this.#request<Buffer>((done) => this.#sftp.open(path, "r", done));
    try {
      const chunks: Buffer[] = [];
      let total = 0;
      while (total <= maxBytes) {
        const chunk = await this.#readChunk(handle, total);
        if (chunk.length === 0) break;
        chunks.push(chunk);
        total += chunk.length;
      }
      return Buffer.concat(chunks);
    } finally {
      await this.#request((done) => this.#sftp.close(handle, done));
    }
  }

  /** Exclusive creation with mode 0600, all of the content, and fsync where the server has it. */
  async create(path: string, content: Uint8Array): Promise<void> {
    const handle = await this.#request<Buffer>((done) => this.#sftp.open(path, "wx", { mode: 0o600 }, done));
    try {
      const bytes = Buffer.from(content);
      for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
        const length = Math.min(CHUNK_BYTES, bytes.length - at);
        await this.#request((done) => this.#sftp.write(handle, bytes, at, length, at, done));
      }
      await this.#request((done) => this.#sftp.ext_openssh_fsync(handle, (error) => done(error))).catch(
        (error: unknown) => {
          if (!(error instanceof SftpFailure) || error.status !== SFTP_STATUS.unsupported) throw error;
        },
      );
    } finally {
      await this.#request((done) => this.#sftp.close(handle, done));
    }
  }

  /** Whether the server opens it for writing; nothing is written. */
  async opens(path: string): Promise<boolean> {
    try {
      const handle = await this.#request<Buffer>((done) => this.#sftp.open(path, "r+", done));
      await this.#request((done) => this.#sftp.close(handle, done));
      return true;
    } catch (error) {
      if (error instanceof SftpFailure && error.status === SFTP_STATUS.permissionDenied) return false;
      throw error;
    }
  }

  async setRights(path: string, rights: { mode: number; uid?: number; gid?: number }): Promise<void> {
    await this.#request((done) => this.#sftp.setstat(path, rights, done));
  }

  /** Replaces what stands at `to`. Fails with `unsupported` on servers without posix-rename@openssh.com. */
  async replace(from: string, to: string): Promise<void> {
    await this.#request((done) => this.#sftp.ext_openssh_rename(from, to, done));
  }

  /** Of the file system below it; null on servers without statvfs@openssh.com, and where nothing is there. */
  async room(path: string): Promise<"some" | "none" | "read-only" | null> {
    try {
      const { f_bavail, f_favail, f_files, f_flag } = await this.#request<FileSystem>((done) =>
        this.#sftp.ext_openssh_statvfs(path, done),
      );
      if ((Number(f_flag) & READ_ONLY) !== 0) return "read-only";
      // Some count no files, and say none of none.
      return Number(f_bavail) === 0 || (Number(f_favail) === 0 && Number(f_files) > 0) ? "none" : "some";
    } catch {
      return null;
    }
  }

  async makeDirectory(path: string): Promise<void> {
    await this.#request((done) => this.#sftp.mkdir(path, { mode: 0o700 }, done));
  }

  /** Repeating is harmless. */
  async remove(path: string): Promise<void> {
    await this.#request((done) => this.#sftp.unlink(path, done)).catch((error: unknown) => {
      if (!(error instanceof SftpFailure) || error.status !== SFTP_STATUS.noSuchFile) throw error;
    });
  }

  end(): void {
    this.#sftp.end();
  }

  async #readChunk(handle: Buffer, position: number): Promise<Buffer> {
    const buffer = Buffer.alloc(CHUNK_BYTES);
    try {
      const length = await this.#request<number>((done) =>
        this.#sftp.read(handle, buffer, 0, CHUNK_BYTES, position, (error, bytesRead) =>
          done(error, bytesRead),
        ),
      );
      return buffer.subarray(0, length);
    } catch (error) {
      if (error instanceof SftpFailure && error.status === SFTP_STATUS.endOfFile) return Buffer.alloc(0);
      throw error;
    }
  }

  async #request<T = void>(
    send: (done: (error: Error | null | undefined, answer?: T) => void) => void,
  ): Promise<T> {
    if (this.#signal.aborted) throw new SftpFailure(null);
    return await new Promise<T>((resolve, reject) => {
      const onAbort = () => reject(new SftpFailure(null));
      this.#signal.addEventListener("abort", onAbort, { once: true });
      const done = (act: () => void) => {
        this.#signal.removeEventListener("abort", onAbort);
        act();
      };
      try {
        send((error, answer) =>
          done(() => (error ? reject(new SftpFailure(statusOf(error))) : resolve(answer as T))),
        );
      } catch {
        // ssh2 throws for extensions that the server did not announce.
        done(() => reject(new SftpFailure(SFTP_STATUS.unsupported)));
      }
    });
  }
}

function statusOf(error: unknown): number | null {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === "number" ? code : null;
}
