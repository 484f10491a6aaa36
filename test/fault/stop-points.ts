/**
 * Where a worker freezes in the middle of sending: inside its process, because only there half of a value has left it.
 *
 *   railway-bytes:<text>   half of the request that carries the text has been sent
 *   host-bytes:<text>      half of the data that carries the text has gone to the host's shell
 *   sftp-rename:<n>        right before the n-th file is put into its place over SFTP
 */
import { Socket } from "node:net";
import { Duplex } from "node:stream";
import { Client, type SFTPWrapper } from "ssh2";

/** Returns when somebody sends SIGCONT. */
export function stopHere(): void {
  process.kill(process.pid, "SIGSTOP");
}

export function stopBetweenBytes(point: string, argument: string): void {
  if (point === "railway-bytes") splitWrites(argument, (stream) => stream instanceof Socket);
  if (point === "host-bytes") splitWrites(argument, (stream) => !(stream instanceof Socket));
  if (point === "sftp-rename") stopBeforeRename(Number(argument));
}

function splitWrites(text: string, isMeant: (stream: Duplex) => boolean): void {
  let stopped = false;
  for (const method of ["write", "end"] as const) {
    const whole = Duplex.prototype[method] as (this: Duplex, ...words: unknown[]) => unknown;
    Duplex.prototype[method] = function (this: Duplex, chunk: unknown, ...rest: unknown[]) {
      const bytes = bytesOf(chunk);
      const at = bytes?.indexOf(text) ?? -1;
      if (stopped || bytes === null || at < 0 || !isMeant(this)) return whole.call(this, chunk, ...rest);
      stopped = true;
      const half = at + Math.floor(text.length / 2);
      this.write(bytes.subarray(0, half));
      stopHere();
      return whole.call(this, bytes.subarray(half), ...rest);
    } as never;
  }
}

function bytesOf(chunk: unknown): Buffer | null {
  if (typeof chunk === "string") return Buffer.from(chunk);
  return chunk instanceof Uint8Array ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength) : null;
}

function stopBeforeRename(nth: number): void {
  let seen = 0;
  const open = Client.prototype.sftp;
  Client.prototype.sftp = function (this: Client, callback: Parameters<Client["sftp"]>[0]) {
    return open.call(this, (error: Error | undefined, sftp: SFTPWrapper) => {
      const rename = sftp?.ext_openssh_rename;
      if (rename !== undefined)
        sftp.ext_openssh_rename = (from, ...rest) => {
          seen += /\/\.lockstep-[^/]+$/.test(from) ? 1 : 0;
          if (seen === nth) stopHere();
          return rename.call(sftp, from, ...rest);
        };
      callback(error, sftp);
    });
  } as Client["sftp"];
}
