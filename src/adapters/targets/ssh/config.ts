/** What lockstep.yaml says of a host over SSH: how to get there, which files, what restarts. Pure. */
import { z } from "zod";
import { LockstepError } from "../../../core/errors.ts";
import type { JsonObject } from "../../../core/json.ts";
import { parseConfig } from "../../../core/plan/parse-target-config.ts";
import { SecretValue } from "../../../core/secret-value.ts";
import { isPlainPath } from "../../../lib/plain-path.ts";
import type { SshDestination, SshHop } from "../../hosts/ssh/destination.ts";
import { parseHostKey } from "../../hosts/ssh/host-key.ts";
import { parseLoginKey } from "../../hosts/ssh/login-key.ts";
import {
  type Activation,
  activateSchema,
  type Health,
  healthSchema,
} from "../../placements/activation/config.ts";
import { alsoCheckSchema } from "../../placements/host-path.ts";
import { type PlacedFile, placedFileSchema } from "../../placements/placement.ts";
import { canBeEnvironment } from "../../placements/running/environment.ts";

const hostName = z
  .string()
  .max(253)
  .regex(
    /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:]+)$/,
    "is not a host name or address; an IPv6 address stands without brackets and zone, and the port and the user in `port` and `user`",
  );
const userName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/, "is not a user's name");
const hostKey = z.string().superRefine((text, context) => {
  const why = whyNoHostKey(text);
  if (why === null) return;
  context.addIssue({
    code: "custom",
    message: `must be the host's whole public key, such as \`ssh-ed25519 AAAA…\`; \`lockstep target trust\` shows it. ${why}`,
  });
});

const hop = {
  host: hostName,
  port: z.int().min(1).max(65_535).default(22),
  user: userName,
  hostKey,
  privateKey: z.string().min(1).max(65_536).optional(),
  passphrase: z.string().max(4_096).optional(),
};

/** What the host refuses later is better refused before it is stored. */
const file = placedFileSchema
  .safeExtend({
    /**
     * The unit's process is started with the file's keys in its environment, by whatever starts it: `docker run
     * --env-file`, a start script. Default: true for systemd's format, otherwise false, because programs read such
     * files themselves.
     */
    asEnvironment: z.boolean().optional(),
  })
  .refine(({ format, asEnvironment }) => asEnvironment !== true || canBeEnvironment(format), {
    message: "does not go with this format: no environment is made of it",
    path: ["asEnvironment"],
  })
  .refine(({ path }) => isPlainPath(path), {
    message: "must be plain: without `.`, doubled or closing slashes",
    path: ["path"],
  })
  .refine(({ mode }) => (Number.parseInt(mode, 8) & 0o627) === 0o600, {
    message: "must let the owner read and write, at most a group read, and nobody else anything",
    path: ["mode"],
  });

const sshSchema = z.strictObject({
  ssh: z.strictObject({
    ...hop,
    jump: z.strictObject(hop).optional(),
    /** For accounts that may use SFTP and nothing else: writes are unfenced, nothing can be restarted. */
    sftpOnly: z.boolean().default(false),
  }),
  files: z
    .array(file)
    .min(1, "name at least one file")
    .refine((files) => new Set(files.map(({ path }) => path)).size === files.length, "names a file twice"),
  activate: activateSchema.optional(),
  health: healthSchema.optional(),
  alsoCheck: alsoCheckSchema.optional(),
});

interface OpenHop {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly hostKey: string;
}

export interface SshConfig {
  readonly ssh: OpenHop & { readonly jump: OpenHop | null; readonly sftpOnly: boolean };
  readonly files: readonly PlacedFile[];
  readonly activate: Activation | null;
  readonly health: Health | null;
  /** Left out: none; targets that were stored earlier have none. */
  readonly alsoCheck?: readonly string[];
}

export function parseSsh(raw: unknown): {
  readonly config: JsonObject;
  readonly credentials: JsonObject | null;
} {
  const { ssh, files, activate = null, health = null, alsoCheck = [] } = parseConfig(sshSchema, raw);
  const { jump } = ssh;
  assertUsable(ssh, ["ssh"]);
  if (jump !== undefined) assertUsable(jump, ["ssh", "jump"]);
  if (ssh.sftpOnly) {
    const inPlace = files.findIndex((one) => one.write === "in-place");
    if (inPlace !== -1)
      throw new LockstepError(
        "CONFIG_INVALID",
        "in-place needs an account that may run commands, not SFTP alone",
        {
          details: { path: ["files", inPlace, "write"] },
        },
      );
    const commands = { activate, health, alsoCheck: alsoCheck.length === 0 ? null : alsoCheck };
    for (const [name, given] of Object.entries(commands)) {
      if (given === null) continue;
      throw new LockstepError("CONFIG_INVALID", "needs an account that may run commands, not SFTP alone", {
        details: { path: [name] },
      });
    }
  }
  const config: SshConfig = {
    ssh: { ...openHop(ssh), jump: jump === undefined ? null : openHop(jump), sftpOnly: ssh.sftpOnly },
    files,
    activate,
    health,
    ...(alsoCheck.length === 0 ? {} : { alsoCheck }),
  };
  return { config: JSON.parse(JSON.stringify(config)) as JsonObject, credentials: credentialsOf(ssh, jump) };
}

type ParsedHop = Omit<z.output<typeof sshSchema>["ssh"], "jump" | "sftpOnly">;

function openHop({ host, port, user, hostKey: key }: ParsedHop): OpenHop {
  const { type, key: base64 } = parseHostKey(key);
  return { host: host.toLowerCase(), port, user, hostKey: `${type} ${base64}` };
}

/** A key that cannot be used is refused before anything is stored. */
function assertUsable({ privateKey, passphrase }: ParsedHop, path: readonly string[]): void {
  if (privateKey === undefined) return;
  try {
    parseLoginKey(
      SecretValue.of(privateKey),
      passphrase === undefined ? undefined : SecretValue.of(passphrase),
    );
  } catch (error) {
    if (!(error instanceof LockstepError)) throw error;
    throw new LockstepError("CONFIG_INVALID", error.message, {
      details: { path: [...path, "privateKey"] },
      hint: error.hint,
    });
  }
}

/** Given whole or not at all: a jump host without its key would silently keep the old one. */
function credentialsOf(ssh: ParsedHop, jump: ParsedHop | undefined): JsonObject | null {
  if (ssh.privateKey === undefined && jump?.privateKey === undefined) return null;
  if (ssh.privateKey === undefined || (jump !== undefined && jump.privateKey === undefined)) {
    throw new LockstepError(
      "CONFIG_INVALID",
      "lacks a private key: give one for the host and one for the jump host",
      { details: { path: ["ssh", "privateKey"] } },
    );
  }
  return {
    privateKey: ssh.privateKey,
    ...(ssh.passphrase === undefined ? {} : { passphrase: ssh.passphrase }),
    ...(jump?.privateKey === undefined ? {} : { jumpPrivateKey: jump.privateKey }),
    ...(jump?.passphrase === undefined ? {} : { jumpPassphrase: jump.passphrase }),
  };
}

/** What was stored came from `parseSsh`. */
export function readConfig(config: JsonObject): SshConfig {
  return config as unknown as SshConfig;
}

export function destinationOf(
  config: SshConfig,
  credentials: JsonObject | null,
  target: string,
): SshDestination {
  const own = hopOf(config.ssh, secret(credentials, "privateKey"), secret(credentials, "passphrase"), target);
  const { jump } = config.ssh;
  if (jump === null) return own;
  return {
    ...own,
    jump: hopOf(jump, secret(credentials, "jumpPrivateKey"), secret(credentials, "jumpPassphrase"), target),
  };
}

function hopOf(
  open: OpenHop,
  privateKey: SecretValue | undefined,
  passphrase: SecretValue | undefined,
  target: string,
): SshHop {
  if (privateKey === undefined) {
    throw new LockstepError(
      "TARGET_CREDENTIAL_REJECTED",
      `Target "${target}" has no private key for ${open.user}@${open.host}.`,
      {
        hint: 'Give it as `privateKey: "${file:~/.ssh/id_ed25519}"` and run `lockstep apply`.',
      },
    );
  }
  const { host, port, user } = open;
  return {
    host,
    port,
    user,
    hostKey: parseHostKey(open.hostKey),
    key: parseLoginKey(privateKey, passphrase),
  };
}

function secret(credentials: JsonObject | null, name: string): SecretValue | undefined {
  const value = credentials?.[name];
  return typeof value === "string" ? SecretValue.of(value) : undefined;
}

function whyNoHostKey(text: string): string | null {
  try {
    parseHostKey(text);
    return null;
  } catch (error) {
    if (!(error instanceof LockstepError)) throw error;
    return error.message;
  }
}
