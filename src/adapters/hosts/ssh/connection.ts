/**
 * One verified, logged-in connection. Runs commands and opens SFTP; tells exactly how far a command came, because a
 * lost line means something else before its input was sent than after.
 */
import type { Duplex } from "node:stream";
import type { Client, ClientChannel, SFTPWrapper } from "ssh2";
import type { LockstepError } from "../../../core/errors.ts";
import { pause } from "../../../lib/pause.ts";
import { Semaphore } from "../../../lib/semaphore.ts";
import { BOOTSTRAP } from "../script/bootstrap.ts";
import { HelperClient } from "../script/helper-client.ts";
import type { ExecOptions, ExecResult } from "../script/transport.ts";
import { noSftp, unreachable } from "./errors.ts";

/** sshd allows 10 sessions per connection unless told (MaxSessions). */
const MAX_SESSIONS = 8;
/** A kept line that died without a word shows itself here. */
const OPEN_TIMEOUT_MS = 10_000;
/** How long a program that is given up is waited for to say who it is. */
const FIRST_WORDS_MS = 1_000;
const MAX_ROOM_TRIES = 6;
const ROOM_PAUSE_MS = 10;

const NOT_STARTED: ExecResult = {
  end: "not-started",
  exitCode: null,
  stdout: Buffer.alloc(0),
  stderr: Buffer.alloc(0),
  truncated: false,
};

interface OpenedHelper {
  client: HelperClient | null;
  readonly opening: Promise<HelperClient>;
}

export class SshConnection {
  readonly label: string;
  readonly #client: Client;
  readonly #sessions = new Semaphore(MAX_SESSIONS);
  readonly #onClose = new Set<() => void>();
  #helper: OpenedHelper | null = null;
  #hasRoom = true;
  #closed = false;

  constructor(client: Client, label: string) {
    this.#client = client;
    this.label = label;
    client.on("close", () => {
      this.#closed = true;
      for (const listener of this.#onClose) listener();
      this.#onClose.clear();
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Answers how to stop listening. */
  onClose(listener: () => void): () => void {
    if (this.#closed) listener();
    else this.#onClose.add(listener);
    return () => this.#onClose.delete(listener);
  }

  /** Never throws: how it ended is the answer. */
  async exec(command: string, options: ExecOptions): Promise<ExecResult> {
    let release: () => void;
    try {
      release = await this.#sessions.acquire(options.signal);
    } catch {
      return NOT_STARTED;
    }
    try {
      const channel = await this.#openCommand(command, options.signal);
      return await collect(channel, options, () => this.#closed);
    } catch {
      return NOT_STARTED;
    } finally {
      release();
    }
  }

  /** A server may allow a single session (MaxSessions 1): then the helper makes room, and is not started again. */
  async #openCommand(command: string, signal: AbortSignal): Promise<ClientChannel> {
    const open = () => this.#open<ClientChannel>(signal, (done) => this.#client.exec(command, done));
    for (let tries = 1; ; tries += 1) {
      try {
        return await open();
      } catch (error) {
        const isRefused = !this.#closed && !signal.aborted;
        if (!isRefused || this.#helper === null || tries > MAX_ROOM_TRIES) throw error;
        this.#hasRoom = false;
        await (await this.#helper.opening).retire(signal);
        // The server frees the session a moment after it has said that it is closed.
        await pause(ROOM_PAUSE_MS * tries, signal);
      }
    }
  }

  /**
   * The one helper of this line, started when first asked for; it holds one session. Null where it must not. Throws
   * TARGET_UNREACHABLE, whatever its callers' signals say: others may be waiting for the same one.
   */
  async helper(): Promise<HelperClient | null> {
    if (!this.#hasRoom) return null;
    if (this.#helper !== null && this.#helper.client?.usable !== false) return this.#helper.opening;
    const opened: OpenedHelper = { client: null, opening: this.#openHelper() };
    this.#helper = opened;
    opened.opening.then(
      (client) => {
        opened.client = client;
      },
      () => {
        if (this.#helper === opened) this.#helper = null;
      },
    );
    return opened.opening;
  }

  async #openHelper(): Promise<HelperClient> {
    const signal = new AbortController().signal;
    const release = await this.#sessions.acquire(signal);
    try {
      const channel = await this.#open<ClientChannel>(signal, (done) => this.#client.exec(BOOTSTRAP, done));
      channel.stderr.on("error", () => undefined).resume();
      channel.on("close", release);
      return new HelperClient(channel, () => this.destroy());
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Holds one session until the wrapper ends. Throws TARGET_UNREACHABLE or TARGET_PROTOCOL. */
  async sftp(signal: AbortSignal): Promise<SFTPWrapper> {
    const release = await this.#sessions.acquire(signal).catch(() => null);
    if (release === null) throw unreachable(this.label, "it was given up while waiting for a session");
    try {
      const sftp = await this.#open<SFTPWrapper>(
        signal,
        (done) => this.#client.sftp(done),
        (error) => this.#noSftp(error),
      );
      sftp.on("close", release);
      // Errors reach the callers through their callbacks.
      sftp.on("error", () => undefined);
      return sftp;
    } catch (error) {
      release();
      throw error;
    }
  }

  /** A line to another host through this one. Throws TARGET_UNREACHABLE. */
  async forward(host: string, port: number, signal: AbortSignal): Promise<Duplex> {
    return await this.#open<ClientChannel>(
      signal,
      (done) => this.#client.forwardOut("127.0.0.1", 0, host, port, done),
      (error) => this.#notForwarded(error, `${host}:${port}`),
    );
  }

  /** RFC 4254, section 5.1. The server's own text is dropped. */
  #notForwarded(error: Error, where: string): LockstepError {
    const { reason } = error as { reason?: unknown };
    if (reason === 1)
      return unreachable(this.label, "its SSH server forwards no connections", { forwarding: "prohibited" });
    if (reason === 2)
      return unreachable(this.label, `from there ${where} takes no connection`, {
        forwarding: "unconnected",
      });
    return unreachable(this.label, "it refused a session");
  }

  #noSftp(error: Error): LockstepError {
    const isSessionRefused = typeof (error as { reason?: unknown }).reason === "number";
    if (isSessionRefused || this.#closed) return unreachable(this.label, "it refused a session");
    return noSftp(this.label, error.message.startsWith("Unable to start subsystem"));
  }

  /** Ends the connection in order; what still runs on it is lost. */
  end(): void {
    this.#client.end();
  }

  /** For a line that does not answer any more. */
  destroy(): void {
    this.#client.destroy();
  }

  async #open<T extends { on(event: "error", listener: () => void): unknown }>(
    signal: AbortSignal,
    request: (done: (error: Error | undefined, channel: T) => void) => void,
    whyRefused: (error: Error) => LockstepError = () => unreachable(this.label, "it refused a session"),
  ): Promise<T> {
    if (this.#closed) throw unreachable(this.label, "the line is closed");
    return await new Promise<T>((resolve, reject) => {
      let settled = false;
      const settle = (act: () => void) => {
        if (settled) return;
        settled = true;
        clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
        this.#onClose.delete(onLost);
        act();
      };
      const onAbort = () => settle(() => reject(unreachable(this.label, "it was given up")));
      const onLost = () => settle(() => reject(unreachable(this.label, "the line was lost")));
      const timer = setTimeout(() => {
        settle(() => reject(unreachable(this.label, "the line does not answer any more")));
        // Whoever comes next must not wait for the same silence.
        this.destroy();
      }, OPEN_TIMEOUT_MS);
      signal.addEventListener("abort", onAbort, { once: true });
      this.onClose(onLost);
      try {
        request((error, channel) => {
          if (error) return settle(() => reject(whyRefused(error)));
          if (settled) return closeLate(channel);
          settle(() => resolve(channel));
        });
      } catch {
        settle(() => reject(unreachable(this.label, "the line is closed")));
      }
    });
  }
}

function closeLate(channel: unknown): void {
  const { close, end } = channel as { close?: () => void; end?: () => void };
  if (close !== undefined) close.call(channel);
  else end?.call(channel);
}

async function collect(
  channel: ClientChannel,
  options: ExecOptions,
  isLineClosed: () => boolean,
): Promise<ExecResult> {
  const { signal, maxOutputBytes } = options;
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  let kept = 0;
  let truncated = false;
  let exit: { code: number | null } | null = null;
  const keep = (into: Buffer[]) => (chunk: Buffer) => {
    const room = maxOutputBytes - kept;
    if (chunk.length > room) truncated = true;
    if (room <= 0) return;
    into.push(chunk.subarray(0, room));
    kept += Math.min(room, chunk.length);
  };
  return await new Promise<ExecResult>((resolve) => {
    const finish = (end: ExecResult["end"]) => {
      signal.removeEventListener("abort", onAbort);
      const stdout = Buffer.concat(out);
      resolve({ end, exitCode: exit?.code ?? null, stdout, stderr: Buffer.concat(err), truncated });
    };
    const giveUp = () => {
      channel.close();
      finish("aborted");
    };
    const onAbort = () => {
      if (!options.killOnAbort) return giveUp();
      channel.signal("KILL");
      if (kept > 0) return giveUp();
      // Its first words say which group to end; without them it would go on.
      const timer = setTimeout(giveUp, FIRST_WORDS_MS);
      channel.once("data", () => {
        clearTimeout(timer);
        giveUp();
      });
      channel.once("close", () => clearTimeout(timer));
    };
    channel.on("data", keep(out));
    channel.stderr.on("data", keep(err));
    channel.on("error", () => undefined);
    channel.stderr.on("error", () => undefined);
    channel.on("exit", (code: number | null) => {
      exit = { code };
    });
    // A server may end a session without a word on how; only the line's own end means that it was lost.
    channel.on("close", () => finish(exit === null && isLineClosed() ? "lost" : "exited"));
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    channel.end(Buffer.from(options.input));
  });
}
