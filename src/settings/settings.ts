/**
 * The process's surroundings, read once into a frozen, typed `Settings`. No other file of Lockstep reads the
 * environment. A wrong setting is refused by name, with the remedy, and never quoted: it may hold a credential.
 *
 * Leaves to others: lockstep.yaml (`edges/cli/config-file`), and what the settings are used for.
 */
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import type { Retention } from "../core/retention.ts";
import { SecretValue } from "../core/secret-value.ts";
import type { WayOut } from "../lib/proxy/way-out.ts";
import { type AgentListenerSettings, agentListener, trustedProxies } from "./agent-listener.ts";
import { type AgentFlags, type AgentSettings, agentSettings } from "./agent-program.ts";
import { type DatabaseSettings, databaseSettings } from "./database.ts";
import {
  type Environment,
  invalid,
  isLoopbackName,
  onOff,
  path,
  plainUrl,
  secretText,
  text,
  wholeNumber,
} from "./env-variables.ts";
import { type MetricsListenerSettings, metricsListener } from "./metrics-listener.ts";
import { wayOut } from "./proxy.ts";
import { type RedisSettings, redisSettings } from "./redis.ts";
import { retention } from "./retention.ts";
import { type KeepingSettings, keepingSettings } from "./vault.ts";

export type { DatabaseSettings } from "./database.ts";
export type { Environment } from "./env-variables.ts";
export type { RedisSettings } from "./redis.ts";
export type { VaultSettings } from "./vault.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Settings extends KeepingSettings {
  /** Holds the embedded store, the root key and the local admin token. Made with mode 0700. */
  readonly dataDirectory: string;
  /** Null: in the data directory. */
  readonly rootKeyFile: string | null;
  /** Lists the programs that issuers may run on this machine; null: none. */
  readonly commandsFile: string | null;
  /** While `rewrap` moves to another root key: the one before. */
  readonly previousRootKeyFile: string | null;
  /** Null: the embedded Postgres. */
  readonly database: DatabaseSettings | null;
  /** Null: the queue lives in Postgres too. */
  readonly redis: RedisSettings | null;
  /** The address that API and dashboard listen on. Loopback unless told. */
  readonly listenAddress: string;
  /** 0: any free one. */
  readonly port: number;
  /** Names, other than loopback's, under which the API answers. */
  readonly allowedHosts: readonly string[];
  /** Addresses and networks of proxies in front of the API that may say who connected to them. */
  readonly trustedProxies: readonly string[];
  /** Null: agents are not served. */
  readonly agents: AgentListenerSettings | null;
  /** Where a worker shows its own metrics; null: nowhere. The API has its own `/metrics`. */
  readonly metricsListener: MetricsListenerSettings | null;
  readonly logLevel: LogLevel;
  /** Leave the non-secret LOCKSTEP_REV marker at places that cannot refuse older writes. */
  readonly revisionMarker: boolean;
  /** How long history is kept. */
  readonly retention: Retention;
  /** How long a unit waits for further changes before it restarts. */
  readonly quietMs: number;
  /** Jobs at once per worker process. */
  readonly workerConcurrency: number;
}

/** What the command line itself needs of its user's surroundings. */
export interface CliSurroundings {
  /** For `${env:NAME}` in lockstep.yaml, which its user's process resolves. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly homeDirectory: string;
  readonly workingDirectory: string;
  readonly dataDirectory: string;
  /** Null: the server whose address stands in the data directory. */
  readonly url: string | null;
  /** Null: the local admin token. */
  readonly token: SecretValue | null;
  readonly noColor: boolean;
  /** FORCE_COLOR: paint and fit as on a terminal so many columns wide, although none is there. Otherwise null. */
  readonly forcedColumns: number | null;
}

/** Of every process that asks outside. Throws SETTING_INVALID. */
export function readWayOut(env: Environment = process.env): WayOut {
  return wayOut(env);
}

export const DEFAULT_PORT = 7420;

export interface SettingFlags {
  readonly port?: number;
  /** `[ADDRESS:]PORT`, as in LOCKSTEP_AGENT_LISTEN. */
  readonly agents?: string;
}

/** Flags win over the environment. Throws SETTING_INVALID. */
export function readSettings(flags: SettingFlags = {}, env: Environment = process.env): Settings {
  return Object.freeze({
    dataDirectory: dataDirectory(env),
    rootKeyFile: path(env, "LOCKSTEP_ROOT_KEY_FILE"),
    commandsFile: path(env, "LOCKSTEP_COMMANDS_FILE"),
    previousRootKeyFile: path(env, "LOCKSTEP_PREVIOUS_ROOT_KEY_FILE"),
    database: databaseSettings(env),
    redis: redisSettings(env),
    ...keepingSettings(env),
    listenAddress: text(env, "LOCKSTEP_LISTEN") ?? "127.0.0.1",
    port: flags.port ?? DEFAULT_PORT,
    allowedHosts: Object.freeze(hostNames(env)),
    trustedProxies: Object.freeze(trustedProxies(env, false)),
    agents: agentListener(env, flags.agents ?? null),
    metricsListener: metricsListener(env),
    logLevel: logLevel(env),
    revisionMarker: onOff(env, "LOCKSTEP_REVISION_MARKER", true),
    retention: Object.freeze(retention(env)),
    quietMs: 1_000 * wholeNumber(env, "LOCKSTEP_QUIET_SECONDS", { fallback: 5, min: 0, max: 30 }),
    workerConcurrency: wholeNumber(env, "LOCKSTEP_WORKER_CONCURRENCY", { fallback: 10, min: 1, max: 200 }),
  });
}

export function rootKeyFileOf({ rootKeyFile, dataDirectory }: Settings): string {
  return rootKeyFile ?? join(dataDirectory, "root.key");
}

/** Of the agent's program on a managed machine. */
export function readAgentSettings(flags: AgentFlags = {}, env: Environment = process.env): AgentSettings {
  return agentSettings(env, flags);
}

/** Throws SETTING_INVALID. */
export function readCliSurroundings(env: Environment = process.env): CliSurroundings {
  return Object.freeze({
    env,
    homeDirectory: homedir(),
    workingDirectory: process.cwd(),
    dataDirectory: dataDirectory(env),
    url: serverUrl(env),
    token: token(env),
    noColor: (env["NO_COLOR"] ?? "") !== "" || env["TERM"] === "dumb",
    forcedColumns: forcedColumns(env),
  });
}

function forcedColumns(env: Environment): number | null {
  if (["", "0", "false"].includes(env["FORCE_COLOR"] ?? "")) return null;
  const columns = env["COLUMNS"] ?? "";
  return /^[1-9]\d{1,3}$/.test(columns) ? Number(columns) : 80;
}

function dataDirectory(env: Environment): string {
  const chosen = path(env, "LOCKSTEP_DATA");
  if (chosen !== null) return chosen;
  if (process.platform === "darwin") return join(homedir(), "Library", "Application Support", "Lockstep");
  const xdg = text(env, "XDG_DATA_HOME");
  return join(xdg !== null && isAbsolute(xdg) ? xdg : join(homedir(), ".local", "share"), "lockstep");
}

function serverUrl(env: Environment): string | null {
  const parsed = plainUrl(env, "LOCKSTEP_URL");
  if (parsed === null) return null;
  if (parsed.protocol === "http:" && !isLoopbackName(parsed.hostname)) {
    throw invalid(
      "LOCKSTEP_URL",
      "would send the token and values unencrypted",
      "Use https, or an SSH tunnel to the server's loopback address.",
    );
  }
  return `${parsed.origin}${parsed.pathname.replace(/\/+$/, "")}`;
}

function token(env: Environment): SecretValue | null {
  const value = secretText(env, "LOCKSTEP_TOKEN");
  if (value === null) return null;
  // Checked before it becomes a header: fetch would quote a header that it refuses.
  if (!/^[A-Za-z0-9_-]{8,200}$/.test(value)) {
    throw invalid("LOCKSTEP_TOKEN", "is not a token of Lockstep", "Copy it whole; it begins with lsk_.");
  }
  return SecretValue.of(value);
}

function hostNames(env: Environment): string[] {
  const names = (text(env, "LOCKSTEP_ALLOWED_HOSTS") ?? "")
    .split(",")
    .map((name) => name.trim().toLowerCase());
  return names.filter((name) => {
    if (name === "") return false;
    if (/^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/.test(name)) return true;
    throw invalid(
      "LOCKSTEP_ALLOWED_HOSTS",
      "holds something that is not a host name",
      "Write names with commas between, for example lockstep.example.com,10.0.0.5:7420.",
    );
  });
}

function logLevel(env: Environment): LogLevel {
  const value = text(env, "LOCKSTEP_LOG_LEVEL") ?? "info";
  const level = LOG_LEVELS.find((known) => known === value);
  if (level === undefined)
    throw invalid("LOCKSTEP_LOG_LEVEL", "is not a level", `Use ${LOG_LEVELS.join(", ")}.`);
  return level;
}
