/**
 * One path over a logged-in line: each request with its own deadline, each failure in the catalogue's words, and no read
 * that is older than what this process has seen there.
 */
import { LockstepError } from "../../../../core/errors.ts";
import { pause } from "../../../../lib/pause.ts";
import { withDeadline } from "../../../../lib/with-deadline.ts";
import type { Kv, KvMetadata, KvRead, KvWritten } from "../../../vault/kv.ts";
import type { Right } from "../../../vault/rights.ts";
import type { Vault } from "../../../vault/vault.ts";
import { placeOf, type VaultConfig } from "../config.ts";
import { type Asking, asTarget } from "../errors.ts";
import { neededRights } from "../probe/policy.ts";
import type { SeenPlaces } from "./seen-places.ts";

/** Logged in, or about to be at the first request. */
export interface VaultLine {
  /** Names server and credential, and tells neither: for what is shared among those that have both in common. */
  readonly id: string;
  readonly vault: Vault;
  readonly kv: Kv;
}

/** A node that lags is asked again before the caller is told to come later. */
const BEHIND_PAUSES_MS = [50, 150, 400] as const;

export class Place {
  readonly id: string;
  readonly line: VaultLine;
  readonly config: VaultConfig;
  readonly target: string;
  readonly seen: SeenPlaces;

  constructor(line: VaultLine, config: VaultConfig, target: string, seen: SeenPlaces) {
    this.id = placeOf(config);
    this.line = line;
    this.config = config;
    this.target = target;
    this.seen = seen;
  }

  /** The newest version; never one that is older than what is known to stand there. */
  async read(signal: AbortSignal): Promise<KvRead> {
    const { kv } = this.line;
    for (const pauseMs of [...BEHIND_PAUSES_MS, null]) {
      const read = await this.#ask("read", (limited) => kv.read(this.config, limited), signal);
      if (!this.seen.isBehind(this.id, read)) {
        this.seen.note(this.id, read);
        return read;
      }
      if (pauseMs !== null) await pause(pauseMs, signal);
    }
    throw new LockstepError(
      "TARGET_UNAVAILABLE",
      `Cannot read target "${this.target}": the node that answered does not show the last write yet.`,
      {
        hint: "Standby nodes follow the active one after a moment; it is asked again by itself.",
        retryAfterMs: 2_000,
      },
    );
  }

  /** Null: no such key. */
  async metadata(signal: AbortSignal): Promise<KvMetadata | null> {
    return await this.#ask("read metadata", (limited) => this.line.kv.metadata(this.config, limited), signal);
  }

  /** The whole map, if the version that stands there is still `cas`. */
  async write(data: Readonly<Record<string, unknown>>, cas: number, signal: AbortSignal): Promise<KvWritten> {
    const written = await this.#ask(
      "write",
      (limited) => this.line.kv.write(this.config, data, cas, limited),
      signal,
      true,
    );
    this.seen.note(this.id, { state: "present", ...written });
    return written;
  }

  /** For people who look at it there; nothing depends on it. */
  async label(signal: AbortSignal): Promise<void> {
    if (!this.config.label || !this.seen.isFirstLabel(this.id)) return;
    const labels = { managed_by: "lockstep" };
    await withDeadline(signal, this.config.requestTimeoutMs, (limited) =>
      this.line.kv.label(this.config, labels, limited),
    ).catch(() => undefined);
  }

  asking(doing: string, write = false): Asking {
    return { doing, target: this.target, config: this.config, rights: rightsFor(this.config, doing), write };
  }

  async #ask<T>(
    doing: string,
    work: (limited: AbortSignal) => Promise<T>,
    signal: AbortSignal,
    write = false,
  ): Promise<T> {
    if (signal.aborted)
      throw new LockstepError(
        "TARGET_UNREACHABLE",
        `Cannot ${doing} at target "${this.target}": the time for it is over.`,
      );
    return await asTarget(this.asking(doing, write), () =>
      withDeadline(signal, this.config.requestTimeoutMs, work),
    );
  }
}

/** The path's own alone: what else the configuration needs is `target test`'s to say. */
function rightsFor(config: VaultConfig, doing: string): readonly Right[] {
  const [data, metadata] = neededRights({ ...config, discover: [] });
  const right = doing === "read metadata" ? metadata : data;
  return right === undefined ? [] : [right];
}
