/**
 * Why a login was refused, by what the server asked for: the names of methods that may go on (RFC 4252, section 5.1), and
 * whether it wanted a signature before. The server's own texts are dropped.
 */
import { LockstepError } from "../../../core/errors.ts";
import { labelOf, type SshHop } from "./destination.ts";

/** What happened between the first offer and the refusal. */
export interface LoginState {
  offered: boolean;
  /** The server found the key in the user's list, and asked for a signature. */
  signed: boolean;
  /** It said that what came so far is right, and not enough. */
  partial: boolean;
  /** What it said may go on, last. */
  methods: readonly string[];
}

const WORDS: Readonly<Record<string, string>> = {
  publickey: "a second key",
  password: "a password",
  "keyboard-interactive": "an answer at a keyboard (keyboard-interactive: a code or a password)",
  hostbased: "a proof of the client's host (hostbased)",
  "gssapi-with-mic": "a Kerberos ticket (gssapi-with-mic)",
};

export function loginError(hop: SshHop, login: LoginState): LockstepError {
  const { signed, methods } = login;
  const key = hop.key.fingerprint;
  const takesKeys = methods.length === 0 || methods.includes("publickey");
  if (login.partial || (signed && !takesKeys)) {
    return rejected(
      hop,
      `the key ${key} was accepted, but the host also wants ${wordsOf(methods)}`,
      `Lockstep logs in with a key alone. ${matchBlock(hop, ["AuthenticationMethods publickey"])}`,
      { accepted: true, wants: named(methods) },
    );
  }
  if (signed) {
    return rejected(
      hop,
      `the host knows the key ${key}, and does not let ${hop.user} in`,
      `Its log says why (journalctl -u ssh): PermitRootLogin, an account that is locked or has expired, or AuthenticationMethods that want two keys.`,
      { accepted: true },
    );
  }
  if (!takesKeys) {
    return rejected(
      hop,
      `the host takes no key from ${hop.user}; it wants ${wordsOf(methods)}`,
      `Lockstep logs in with a key alone. ${matchBlock(hop, ["PubkeyAuthentication yes", "AuthenticationMethods publickey"])}`,
      { accepted: false, wants: named(methods) },
    );
  }
  return rejected(
    hop,
    `the key ${key} was refused`,
    `Add the public key to authorized_keys of ${hop.user}, or give the target another key. If it stands there: sshd passes over the file while others may write it or a directory above (StrictModes), so run \`chmod go-w ~ ~/.ssh ~/.ssh/authorized_keys\` as ${hop.user}.`,
  );
}

function rejected(hop: SshHop, why: string, hint: string, more: Record<string, unknown> = {}): LockstepError {
  return new LockstepError("TARGET_CREDENTIAL_REJECTED", `Cannot log in to ${labelOf(hop)}: ${why}.`, {
    details: { key: hop.key.fingerprint, at: labelOf(hop), ...more },
    hint,
  });
}

function matchBlock({ user }: SshHop, lines: readonly string[]): string {
  return `Let it do so in the host's sshd_config, before other Match blocks: \`Match User ${user}\`, below it ${lines.map((line) => `\`${line}\``).join(" and ")}; then reload sshd.`;
}

/** Names that we know; what else a server may call its methods is not repeated. */
function named(methods: readonly string[]): string[] {
  return methods.filter((method) => Object.hasOwn(WORDS, method));
}

function wordsOf(methods: readonly string[]): string {
  const known = named(methods).map((method) => WORDS[method] ?? "");
  return known.length === 0 ? "something else" : known.join(" or ");
}
