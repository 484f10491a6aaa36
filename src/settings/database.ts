/**
 * Where Postgres is, from DATABASE_URL, with libpq's variables (PGUSER, PGPASSWORD, PGSSLMODE, …)
 * for what it leaves out. A parameter that would have no effect is refused instead of being passed over.
 */

import { SecretValue } from "../core/secret-value.ts";
import { addressSetting } from "./addresses.ts";
import { type Environment, invalid, readSettingFile, secretText, text } from "./env-variables.ts";

export interface DatabaseSettings {
  /** A name, an address, or the directory of a unix socket. */
  readonly host: string;
  readonly port: number;
  /** Null: the name of the system's user. */
  readonly user: string | null;
  readonly password: SecretValue | null;
  /** Null: the user's name. */
  readonly database: string | null;
  readonly tls: false | DatabaseTls;
  /** What a session begins with in addition to our own settings, as `-c name=value …`. */
  readonly options: string | null;
  readonly applicationName: string | null;
  readonly connectTimeoutMs: number | null;
  /** Where everything of ours stands; null: where the user's search_path leads, usually `public`. */
  readonly schema: string | null;
}

/** In PEM. Without authorities those of Node. */
export interface DatabaseTls {
  readonly verify: boolean;
  readonly ca: string | null;
  readonly certificate: string | null;
  readonly key: SecretValue | null;
  /** Begin with TLS at once, instead of asking for it (Postgres 17). */
  readonly direct: boolean;
  /** Bind the password's proof to the certificate, where the server offers it. */
  readonly channelBinding: boolean;
}

const NAME = "DATABASE_URL";
const EXAMPLE = "postgres://USER:PASSWORD@HOST:5432/DATABASE";
const DEFAULT_PORT = 5_432;
const MAX_PEM_BYTES = 1024 * 1024;

const PLACE = ["host", "port", "user", "password", "dbname"] as const;
const TLS = [
  "ssl",
  "sslmode",
  "sslrootcert",
  "sslcert",
  "sslkey",
  "sslnegotiation",
  "channel_binding",
] as const;
const SESSION = ["options", "application_name", "connect_timeout", "schema", "client_encoding"] as const;
/** Of libpq, and true of every connection of ours. */
const HARMLESS: Readonly<Record<string, readonly string[]>> = {
  target_session_attrs: ["any", "read-write", "primary"],
  gssencmode: ["disable", "prefer"],
  sslcompression: ["0"],
  keepalives: ["1"],
};
/** Known from elsewhere; each with what is wanted instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  pgbouncer:
    "Lockstep needs sessions of its own (LISTEN, locks): name Postgres itself instead of the pooler, and leave pgbouncer= out.",
  uselibpqcompat: "Leave it out, and write sslmode=verify-full, or sslmode=no-verify where that is meant.",
  connection_limit:
    "Leave it out: Lockstep keeps at most 10 connections a process for the store, 7 for the queue and 1 for notifying agents.",
  pool_timeout: "Leave it out, or write connect_timeout=SECONDS.",
  sslaccept: "Leave it out, and write sslmode=verify-full, or sslmode=no-verify where that is meant.",
  passfile: "Leave it out, and name the file in PGPASSFILE.",
  service: "Leave it out, and write host, port and database.",
};
const ALLOWED = [...PLACE, ...TLS, ...SESSION, ...Object.keys(HARMLESS)];

/** Null: the embedded Postgres. Throws SETTING_INVALID. */
export function databaseSettings(env: Environment): DatabaseSettings | null {
  const written = secretText(env, NAME);
  const wanted = text(env, "LOCKSTEP_DATABASE_SCHEMA");
  if (written === null) {
    if (wanted !== null)
      throw invalid("LOCKSTEP_DATABASE_SCHEMA", "goes with DATABASE_URL alone", "Set both, or neither.");
    return null;
  }
  const address = addressSetting(written, {
    name: NAME,
    schemes: ["postgres", "postgresql"],
    parameters: [...ALLOWED, ...Object.keys(ELSEWHERE)],
    example: EXAMPLE,
  });
  const { parameters } = address;
  for (const name of parameters.keys()) refuseParameter(name, parameters.get(name) ?? "");
  const ofText = (name: string, variable: string): string | null =>
    parameters.get(name) || text(env, variable);
  const host = parameters.get("host") || address.host || text(env, "PGHOST") || "localhost";
  if (host.includes(","))
    throw invalid(NAME, "names several hosts, and Lockstep connects to one", "Name one.");
  const password = parameters.get("password") ?? address.password ?? env["PGPASSWORD"] ?? null;
  return Object.freeze({
    host,
    port: address.port ?? port(parameters.get("port") ?? text(env, "PGPORT")),
    user: parameters.get("user") ?? address.user ?? text(env, "PGUSER"),
    password: password === null || password === "" ? null : SecretValue.of(password),
    database: parameters.get("dbname") ?? (address.path === "" ? text(env, "PGDATABASE") : address.path),
    tls: tls(parameters, env, host),
    options: sessionOptions(ofText("options", "PGOPTIONS")),
    applicationName: ofText("application_name", "PGAPPNAME"),
    connectTimeoutMs: connectTimeout(ofText("connect_timeout", "PGCONNECT_TIMEOUT")),
    schema: schema(parameters.get("schema") ?? null, wanted),
  });
}

function refuseParameter(name: string, value: string): void {
  if (Object.hasOwn(ELSEWHERE, name))
    throw invalid(NAME, `holds the parameter ${name}, which has no effect here`, ELSEWHERE[name] ?? "");
  const allowed = HARMLESS[name];
  if (allowed !== undefined && !allowed.includes(value))
    throw invalid(
      NAME,
      `asks with ${name} for what Lockstep does not do`,
      `Leave it out, or use ${allowed.join(" or ")}.`,
    );
  if (name === "client_encoding" && !/^(?:utf-?8|auto)$/i.test(value))
    throw invalid(NAME, "asks for a client_encoding other than UTF8", "Leave it out.");
}

function port(written: string | null): number {
  if (written === null || written === "") return DEFAULT_PORT;
  if (/^\d{1,5}$/.test(written) && Number(written) >= 1 && Number(written) <= 65_535) return Number(written);
  throw invalid(NAME, "or PGPORT holds a port that is no number from 1 to 65535", `Write ${EXAMPLE}.`);
}

/** Where TLS is spoken at all it is verified, unless `no-verify` says otherwise; never less than was asked for. */
function tls(parameters: ReadonlyMap<string, string>, env: Environment, host: string): false | DatabaseTls {
  const said = parameters.get("sslmode") ?? shortMode(parameters.get("ssl")) ?? text(env, "PGSSLMODE");
  const modes = ["disable", "require", "verify-ca", "verify-full", "no-verify"];
  if (said === "allow" || said === "prefer")
    throw invalid(
      NAME,
      `or PGSSLMODE leaves it to the server whether TLS is spoken (${said})`,
      "Use sslmode=verify-full, or sslmode=disable on a network of your own.",
    );
  if (said !== null && !modes.includes(said))
    throw invalid(NAME, "or PGSSLMODE holds an unknown sslmode", `Use one of ${modes.join(", ")}.`);
  const named = ["sslrootcert", "sslcert", "sslkey"].some((name) => parameters.has(name));
  const direct = oneOf(parameters, "sslnegotiation", ["postgres", "direct"]) === "direct";
  const binding = oneOf(parameters, "channel_binding", ["disable", "prefer", "require"]);
  const isOn = said === null ? named || direct : said !== "disable";
  if (!isOn && (named || direct || binding === "require"))
    throw invalid(NAME, "asks for parts of TLS and switches TLS off", "Use sslmode=verify-full.");
  // A unix socket carries no TLS.
  if (!isOn || host.startsWith("/")) return false;
  const root = parameters.get("sslrootcert");
  const key = pem("sslkey", parameters.get("sslkey"));
  return {
    verify: said !== "no-verify",
    ca: root === "system" ? null : pem("sslrootcert", root),
    certificate: pem("sslcert", parameters.get("sslcert")),
    key: key === null ? null : SecretValue.of(key),
    direct,
    channelBinding: binding === "prefer" || binding === "require",
  };
}

/** node-postgres's own way to say it. */
function shortMode(ssl: string | undefined): string | null {
  if (ssl === undefined) return null;
  if (["true", "1"].includes(ssl)) return "verify-full";
  return ["false", "0"].includes(ssl) ? "disable" : ssl;
}

function oneOf(
  parameters: ReadonlyMap<string, string>,
  name: string,
  known: readonly string[],
): string | null {
  const value = parameters.get(name);
  if (value === undefined) return null;
  if (known.includes(value)) return value;
  throw invalid(NAME, `holds an unknown ${name}`, `Use one of ${known.join(", ")}.`);
}

function pem(name: string, file: string | undefined): string | null {
  return file === undefined || file === "" ? null : readSettingFile(`${NAME} (${name})`, file, MAX_PEM_BYTES);
}

/** Set by Lockstep on every connection. */
const OUR_OWN = ["search_path", "statement_timeout", "idle_in_transaction_session_timeout"];

/** As Postgres splits them: by spaces, which a backslash escapes. */
function sessionOptions(written: string | null): string | null {
  // `+` is a space to many who write it; no setting's name or usual value holds one.
  const words = (written ?? "").replaceAll("+", " ").match(/(?:\\.|[^\s\\])+/gu) ?? [];
  const joined = words.join(" ").replace(/(^| )-c (?=\S)/g, "$1-c");
  if (joined === "") return null;
  for (const word of joined.split(/(?<!\\) /)) {
    const [, name, plain] = /^(?:--|-c)([A-Za-z_][A-Za-z0-9_.-]*)=|^((?:endpoint|project)=)/.exec(word) ?? [];
    if (name === undefined && plain === undefined)
      throw invalid(
        NAME,
        "or PGOPTIONS holds options that cannot be read",
        "Write options=-c%20name%3Dvalue, with one -c for each setting.",
      );
    if (name !== undefined && OUR_OWN.includes(name.toLowerCase().replaceAll("-", "_")))
      throw invalid(
        NAME,
        `or PGOPTIONS sets ${name.toLowerCase()}, which Lockstep sets itself`,
        "Leave it out of the options; LOCKSTEP_DATABASE_SCHEMA names a schema.",
      );
  }
  return joined;
}

const MAX_CONNECT_SECONDS = 60;

/** libpq takes 0 for "for ever", which nothing of ours waits. */
function connectTimeout(seconds: string | null): number | null {
  if (seconds === null) return null;
  const number = /^\d{1,4}$/.test(seconds) ? Number(seconds) : 0;
  if (number >= 1 && number <= MAX_CONNECT_SECONDS) return number * 1_000;
  throw invalid(NAME, "or PGCONNECT_TIMEOUT holds a time that is out of range", "Use 1 to 60 seconds.");
}

function schema(parameter: string | null, setting: string | null): string | null {
  if (parameter !== null && setting !== null && parameter !== setting)
    throw invalid("LOCKSTEP_DATABASE_SCHEMA", "and schema= in DATABASE_URL differ", "Keep one of the two.");
  const name = setting ?? parameter;
  if (name === null) return null;
  if (
    /^[a-z_][a-z0-9_]{0,49}$/.test(name) &&
    !name.startsWith("pg_") &&
    name !== "information_schema" &&
    name !== "bullmq"
  )
    return name;
  throw invalid(
    setting === null ? `${NAME} (schema)` : "LOCKSTEP_DATABASE_SCHEMA",
    "is not a name that Lockstep takes for a schema",
    "Use up to 50 small letters, digits and _; it begins with no digit, not with pg_, and is not bullmq.",
  );
}
