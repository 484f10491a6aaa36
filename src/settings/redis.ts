/** Where Redis is, from REDIS_URL and LOCKSTEP_REDIS_CA_FILE. */

import { SecretValue } from "../core/secret-value.ts";
import { addressSetting } from "./addresses.ts";
import { type Environment, invalid, path, readSettingFile, secretText } from "./env-variables.ts";

export interface RedisSettings {
  readonly host: string;
  readonly port: number;
  /** Null: Redis's user `default`. */
  readonly user: string | null;
  readonly password: SecretValue | null;
  readonly database: number;
  /** 0: whatever the name has. */
  readonly family: 0 | 4 | 6;
  /** False: unencrypted. `ca`: trusted in addition to the public authorities, in PEM. */
  readonly tls: false | { readonly ca: string | null };
}

const EXAMPLE = "redis://USER:PASSWORD@HOST:6379/0, or with TLS rediss://…";
const DEFAULT_PORT = 6_379;
const MAX_PEM_BYTES = 1024 * 1024;

/** Null: the queue lives in Postgres too. Throws SETTING_INVALID. */
export function redisSettings(env: Environment): RedisSettings | null {
  const written = secretText(env, "REDIS_URL");
  const caFile = path(env, "LOCKSTEP_REDIS_CA_FILE");
  if (written === null) {
    if (caFile !== null)
      throw invalid("LOCKSTEP_REDIS_CA_FILE", "goes with REDIS_URL alone", "Set both, or neither.");
    return null;
  }
  const { scheme, user, password, host, port, ...rest } = addressSetting(written, {
    name: "REDIS_URL",
    schemes: ["redis", "rediss"],
    parameters: ["family"],
    example: EXAMPLE,
  });
  if (host.startsWith("/"))
    throw invalid(
      "REDIS_URL",
      "names a unix socket, which Lockstep does not use for Redis",
      `Write ${EXAMPLE}.`,
    );
  if (scheme !== "rediss" && caFile !== null)
    throw invalid(
      "LOCKSTEP_REDIS_CA_FILE",
      "is set, and REDIS_URL speaks no TLS",
      "Begin REDIS_URL with rediss://.",
    );
  // `redis://secret@host` gives a user without a password, and Redis would take every command without either.
  if (user !== null && password === null)
    throw invalid(
      "REDIS_URL",
      "holds a user and no password",
      "A password alone stands behind a colon: redis://:PASSWORD@HOST.",
    );
  return Object.freeze({
    host: host === "" ? "localhost" : host,
    port: port ?? DEFAULT_PORT,
    user,
    password: password === null ? null : SecretValue.of(password),
    database: database(rest.path),
    family: family(rest.parameters.get("family")),
    tls: scheme === "rediss" && { ca: caFile === null ? null : authority(caFile) },
  });
}

function database(written: string): number {
  if (written === "") return 0;
  if (/^\d{1,5}$/.test(written)) return Number(written);
  throw invalid("REDIS_URL", "holds a database that is no number", `Write ${EXAMPLE}.`);
}

function family(written: string | undefined): 0 | 4 | 6 {
  if (written === undefined || written === "0") return 0;
  if (written === "4" || written === "6") return written === "4" ? 4 : 6;
  throw invalid("REDIS_URL", "holds an unknown family", "Use family=4 or family=6.");
}

function authority(file: string): string {
  const text = readSettingFile("LOCKSTEP_REDIS_CA_FILE", file, MAX_PEM_BYTES);
  if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  throw invalid(
    "LOCKSTEP_REDIS_CA_FILE",
    "names a file without a certificate",
    "It holds PEM: -----BEGIN CERTIFICATE-----.",
  );
}
