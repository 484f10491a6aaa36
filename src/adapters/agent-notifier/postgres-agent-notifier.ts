/**
 * Notifies agents over Postgres's LISTEN and NOTIFY, on one connection of its own per process, opened when it is first needed.
 *
 * Promises: a lost Postgres never ends the process and never holds up who notifies; the connection comes back by itself,
 * and as notifications may have been lost meanwhile, everybody who listens then hears "all". A peer that is silent without
 * having hung up is noticed within PROBE_MS and a little more.
 *
 * A NOTIFY takes a lock at commit that all sessions share, so it never stands in a transaction with other work, and one
 * statement carries everything that came while the one before was under way.
 *
 * Needs a session: behind a pooler that hands connections out per transaction nothing would be heard.
 */
import pg from "pg";
import type { AgentNotifier, NotifiedTargets } from "../../core/ports/agent-notifier.ts";
import type { Logger } from "../../core/ports/logger.ts";
import { pause } from "../../lib/pause.ts";

export type NotifierConnection = Pick<
  pg.ClientConfig,
  | "host"
  | "port"
  | "user"
  | "password"
  | "database"
  | "ssl"
  | "options"
  | "application_name"
  | "connectionTimeoutMillis"
> & {
  /** Of a store that has one of its own: channels belong to a whole database. */
  readonly schema?: string;
};

const CHANNEL = "lockstep_agents";
/** 36 characters and a comma each; a payload must stay below 8,000 bytes. */
const MAX_IDS_PER_PAYLOAD = 200;
/** Beyond that, while Postgres is away, notifications are dropped: agents ask by themselves. */
const MAX_WAITING = 100_000;
const CONNECT_TIMEOUT_MS = 10_000;
const QUERY_TIMEOUT_MS = 5_000;
const PROBE_MS = 15_000;
const CLOSE_MS = 1_000;
const MIN_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5_000;

const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function createPostgresAgentNotifier(connection: NotifierConnection, log: Logger): AgentNotifier {
  return new PostgresAgentNotifier(connection, log);
}

class PostgresAgentNotifier implements AgentNotifier {
  readonly #connection: NotifierConnection;
  readonly #log: Logger;
  readonly #channel: string;
  readonly #waiting = new Set<string>();
  readonly #listeners = new Set<(notified: NotifiedTargets) => void>();
  readonly #closing = new AbortController();
  /** Set while connected. */
  #client: pg.Client | null = null;
  #isListening = false;
  #running: Promise<void> | null = null;
  #sending: Promise<void> | null = null;

  constructor(connection: NotifierConnection, log: Logger) {
    this.#connection = connection;
    this.#log = log;
    this.#channel = connection.schema === undefined ? CHANNEL : `${CHANNEL}_${connection.schema}`;
  }

  notify(targetIds: readonly string[]): void {
    if (this.#closing.signal.aborted) return;
    for (const id of targetIds) {
      if (this.#waiting.size < MAX_WAITING) this.#waiting.add(id);
    }
    this.#begin();
    // After this turn of the event loop: what else comes in it goes with the same statement.
    setImmediate(() => this.#send());
  }

  listen(hear: (notified: NotifiedTargets) => void): () => void {
    this.#listeners.add(hear);
    this.#begin();
    if (this.#client !== null) this.#startListening(this.#client).catch(() => undefined);
    return () => this.#listeners.delete(hear);
  }

  async close(): Promise<void> {
    // Twice: the first may be one that had looked already.
    const sent = this.#send().then(() => this.#send());
    await Promise.race([sent, pause(CLOSE_MS, this.#closing.signal)]);
    this.#closing.abort();
    await this.#running;
  }

  #begin(): void {
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    let pauseMs = MIN_PAUSE_MS;
    while (!signal.aborted) {
      const client = this.#newClient();
      const ended = new Promise<void>((resolve) => client.once("end", resolve));
      try {
        await client.connect();
        this.#client = client;
        await this.#startListening(client);
        pauseMs = MIN_PAUSE_MS;
        this.#hear("all");
        this.#send();
        await this.#untilLost(client, ended);
      } catch {
        // Told by the "error" event where there was one; the reason is Postgres's own story, told by the store.
      }
      this.#client = null;
      this.#isListening = false;
      // Where a statement hangs, this destroys the socket instead of saying goodbye.
      await client.end().catch(() => undefined);
      await pause(pauseMs * (0.5 + Math.random()), signal);
      pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS);
    }
  }

  #newClient(): pg.Client {
    const client = new pg.Client({
      application_name: "lockstep-agent-notifier",
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      ...this.#connection,
      query_timeout: QUERY_TIMEOUT_MS,
      keepAlive: true,
    });
    // Stays for the client's whole life: without it the end of Postgres would end this process.
    client.on("error", (error) => {
      if (this.#client === client) this.#log.warn("agent-notifier.connection-lost", { code: codeOf(error) });
    });
    client.on("notification", ({ channel, payload }) => {
      if (channel === this.#channel) this.#hear(idsIn(payload ?? ""));
    });
    return client;
  }

  async #startListening(client: pg.Client): Promise<void> {
    if (this.#isListening || this.#listeners.size === 0) return;
    this.#isListening = true;
    await client.query(`listen ${pg.escapeIdentifier(this.#channel)}`);
  }

  /** Ends when the connection is gone or does not answer any more, or this process closes. */
  async #untilLost(client: pg.Client, ended: Promise<void>): Promise<void> {
    const { signal } = this.#closing;
    let isLost = false;
    const lost = ended.then(() => {
      isLost = true;
    });
    for (;;) {
      await Promise.race([lost, pause(PROBE_MS, signal)]);
      if (isLost || signal.aborted) return;
      await client.query("select 1");
    }
  }

  /** One statement at a time. What it could not send waits for the next connection. */
  #send(): Promise<void> {
    this.#sending ??= this.#sendWaiting().finally(() => {
      this.#sending = null;
    });
    return this.#sending;
  }

  async #sendWaiting(): Promise<void> {
    while (this.#client !== null && this.#waiting.size > 0) {
      const ids = [...this.#waiting];
      this.#waiting.clear();
      try {
        await this.#client.query("select pg_notify($1, payload) from unnest($2::text[]) as payload", [
          this.#channel,
          payloadsOf(ids),
        ]);
      } catch {
        for (const id of ids) this.#waiting.add(id);
        // Whatever it was, the connection is not trusted any more; `#run` opens the next one.
        await this.#client?.end().catch(() => undefined);
        return;
      }
    }
  }

  #hear(notified: NotifiedTargets): void {
    if (notified.length === 0) return;
    for (const hear of this.#listeners) hear(notified);
  }
}

function payloadsOf(ids: readonly string[]): readonly string[] {
  const payloads: string[] = [];
  for (let start = 0; start < ids.length; start += MAX_IDS_PER_PAYLOAD) {
    payloads.push(ids.slice(start, start + MAX_IDS_PER_PAYLOAD).join(","));
  }
  return payloads;
}

/** Whoever may connect to the database may notify: only what looks like ids is passed on. */
function idsIn(payload: string): readonly string[] {
  return payload.split(",").filter((id) => ID.test(id));
}

function codeOf(error: unknown): string | null {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : null;
  return typeof code === "string" && /^[A-Z0-9_]{2,40}$/.test(code) ? code : null;
}
