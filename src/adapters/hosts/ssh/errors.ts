/**
 * Translates what ssh2, sockets and servers say. Only codes and levels are looked at; messages and causes are dropped,
 * because they repeat what a server sent or what a key file held.
 */
import { LockstepError } from "../../../core/errors.ts";
import type { JsonObject } from "../../../core/json.ts";
import { labelOf, type SshHop } from "./destination.ts";
import { type LoginState, loginError } from "./login-errors.ts";
import { SHA1_REFUSED } from "./login-key.ts";

/** What OpenSSH writes before it drops a line (sshd.c, sshd-session.c). */
const PENALTY = "Not allowed at this time";
const TOO_MANY = "Exceeded MaxStartups";
/** HTTP, SMTP and FTP, POP, IMAP, mark-up, an alert of TLS. */
const NOT_SSH = /^(?:HTTP\/|220[ -]|\+OK|\* OK|<|\cU\cC)/;
/** Its shortest penalty is 15 s; refused logins add up to 10 minutes. */
const PENALTY_PAUSE_MS = 60_000;
const DROPPED_HINT =
  "sshd does so while too many log in at once (MaxStartups), and for some minutes after refused logins (PerSourcePenalties, fail2ban); a firewall or hosts.deny may do it too. The host's log says which. It is tried again by itself.";

/** How far a handshake came; decides what a lost line means. */
export interface HandshakeState {
  /** The line was there. */
  connected: boolean;
  /** Keys are exchanged and the host is verified. */
  verified: boolean;
  /** Fingerprint of the key that the server showed, when it was refused. */
  shown: string | null;
  /** The first characters that the server sent; a reason may stand before its name. */
  greeting: string;
}

/** A connection that a server dropped before the key exchange: what MaxStartups does to bursts. */
export function isDrop(error: unknown): boolean {
  return error instanceof LockstepError && error.details["dropped"] === true;
}

export function connectError(
  hop: SshHop,
  error: unknown,
  state: HandshakeState,
  login: LoginState,
): LockstepError {
  const where = labelOf(hop);
  const { level, message } = foreign(error);
  if (state.shown !== null) return hostKeyError(hop, state.shown);
  if (level === "handshake" && message.includes("no matching host key format")) {
    return hostKeyError(hop, `another type than ${hop.hostKey.type}`);
  }
  if (level === "handshake" && /no matching/i.test(message)) return noCommonAlgorithm(where, message);
  if (message === SHA1_REFUSED) {
    return new LockstepError(
      "UNSUPPORTED",
      `Cannot log in to ${where}: it accepts RSA keys with SHA-1 signatures only.`,
      { hint: "Log in with an ed25519 key." },
    );
  }
  if (level === "client-authentication") return loginError(hop, login);
  return lineError(where, error, state);
}

/** For a look at a host's key, where being refused by ourselves is the expected end. */
export function fetchError(
  address: { readonly host: string; readonly port: number },
  error: unknown,
  state: HandshakeState,
): LockstepError {
  const where = `${address.host}:${address.port}`;
  const { level, message } = foreign(error);
  if (state.shown !== null || message.includes("no matching host key format")) {
    return new LockstepError(
      "TARGET_PROTOCOL",
      `Cannot use the host key of ${where}: it is of a type that is not used, or a short RSA key.`,
      { hint: "Give the host an ed25519 key (ssh-keygen -A)." },
    );
  }
  if (level === "handshake" && /no matching/i.test(message)) return noCommonAlgorithm(where, message);
  return lineError(where, error, state);
}

function noCommonAlgorithm(where: string, message: string): LockstepError {
  if (message.includes("key exchange")) {
    return new LockstepError(
      "UNSUPPORTED",
      `Cannot connect to ${where}: it accepts only key exchanges that Lockstep does not speak.`,
      {
        hint: "Post-quantum key exchange is not supported yet; allow curve25519-sha256 beside it (KexAlgorithms in sshd_config).",
      },
    );
  }
  return new LockstepError(
    "UNSUPPORTED",
    `Cannot connect to ${where}: it offers no cipher or MAC without CBC and SHA-1.`,
    { hint: "Allow aes128-gcm@openssh.com or aes256-ctr with hmac-sha2-256 in its sshd_config." },
  );
}

function lineError(where: string, error: unknown, state: HandshakeState): LockstepError {
  const { level, code } = foreign(error);
  const dropped = state.connected && !state.verified && level !== "client-timeout";
  const details = code === "" ? {} : { code };
  if (dropped && NOT_SSH.test(state.greeting)) {
    return new LockstepError(
      "TARGET_PROTOCOL",
      `Cannot connect to ${where}: what answers is no SSH server.`,
      {
        hint: "Check the port; SSH listens on 22 unless sshd_config says another.",
      },
    );
  }
  if (dropped && state.greeting.startsWith(PENALTY)) {
    return new LockstepError(
      "TARGET_UNREACHABLE",
      `Cannot connect to ${where}: its SSH server holds this address back for some minutes (PerSourcePenalties).`,
      {
        details: { ...details, penalty: true },
        hint: "It does so after refused logins from here, of any user: repair the target whose key is refused. To exempt Lockstep's address: `PerSourcePenaltyExemptList ADDRESS` in the host's sshd_config. It is tried again by itself.",
        retryAfterMs: PENALTY_PAUSE_MS,
      },
    );
  }
  return new LockstepError(
    "TARGET_UNREACHABLE",
    `Cannot connect to ${where}: ${reason(code, level, state)}.`,
    {
      details: { ...details, ...(dropped ? { dropped: true } : {}) },
      ...(dropped ? { hint: DROPPED_HINT } : {}),
    },
  );
}

export function hostKeyError(hop: SshHop, shown: string): LockstepError {
  return new LockstepError(
    "TARGET_HOST_KEY",
    `Cannot trust ${labelOf(hop)}: it shows the host key ${shown}, pinned is ${hop.hostKey.fingerprint} (${hop.hostKey.type}).`,
    { details: { shown, pinned: hop.hostKey.fingerprint } },
  );
}

export function unreachable(where: string, why: string, details: JsonObject = {}): LockstepError {
  return new LockstepError("TARGET_UNREACHABLE", `Cannot reach ${where}: ${why}.`, { details });
}

/** `refused`: it said no; otherwise what came was something else. */
export function noSftp(where: string, refused: boolean): LockstepError {
  return new LockstepError(
    "TARGET_PROTOCOL",
    `Cannot use ${where}: ${refused ? "its SSH server offers no SFTP" : "what answers on its SFTP is no SFTP"}.`,
    {
      hint: refused
        ? "Its sshd_config needs `Subsystem sftp internal-sftp`; or leave out `sftpOnly`, where the account has a shell."
        : "A start file of the login shell prints something (~/.bashrc; let it print only on a terminal), the account has no shell (/sbin/nologin), or a fixed program answers (ForceCommand). `Subsystem sftp internal-sftp` or `ForceCommand internal-sftp` in sshd_config goes around the shell.",
    },
  );
}

function reason(code: string, level: string, state: HandshakeState): string {
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "the name cannot be resolved";
  if (code === "ECONNREFUSED") return "nothing listens there";
  if (code === "EHOSTUNREACH" || code === "ENETUNREACH") return "there is no route";
  if (level === "client-timeout" || code === "ETIMEDOUT") return "no answer in time";
  if (state.connected && !state.verified)
    return state.greeting.startsWith(TOO_MANY)
      ? "too many log in there at once (MaxStartups)"
      : "the server dropped the line before the key exchange";
  return "the line was lost";
}

function foreign(error: unknown): { level: string; code: string; message: string } {
  if (!(error instanceof Error)) return { level: "", code: "", message: "" };
  const { level, code } = error as { level?: unknown; code?: unknown };
  return {
    level: typeof level === "string" ? level : "",
    code: typeof code === "string" && /^[A-Z_0-9]{1,32}$/.test(code) ? code : "",
    message: error.message,
  };
}
