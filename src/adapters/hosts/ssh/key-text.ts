/**
 * A private key's text as people have it: from a file, from a variable on one line, with quotes of a .env file. What
 * carriers do to line breaks, quotes and marks is undone, because nothing of it can belong to a key; anything else that is
 * no key file is named by its kind. Nothing of the text is ever repeated.
 */
import { LockstepError } from "../../../core/errors.ts";

export interface PemBlock {
  /** Of the BEGIN line, for example `OPENSSH PRIVATE KEY`. */
  readonly label: string;
  /** `DEK-Info` of a key that OpenSSL encrypted in its old way; null otherwise. */
  readonly encryption: string | null;
  readonly base64: string;
}

const MAKE_KEY = 'make one for Lockstep: ssh-keygen -t ed25519 -N "" -f lockstep_key';

export function unusableKey(why: string, hint: string, path = "ssh.privateKey"): LockstepError {
  return new LockstepError("CONFIG_INVALID", `Cannot use the private key: ${why}.`, {
    details: { path },
    hint,
  });
}

/** Without the mark at the start of a file, and without the quotes and spaces around. Throws CONFIG_INVALID. */
export function bareKeyText(raw: string): string {
  if (/[\0\uFFFD]/.test(raw)) {
    throw unusableKey(
      "it is not text in UTF-8",
      "Save the file as UTF-8 (Windows' PowerShell writes UTF-16: `Set-Content -Encoding utf8`), or take the original file.",
    );
  }
  let text = raw.replace(/^\uFEFF/, "").trim();
  for (const quote of ['"', "'", "`"]) {
    if (text.length > 1 && text.startsWith(quote) && text.endsWith(quote)) text = text.slice(1, -1).trim();
  }
  return text.replaceAll(/\r\n?/g, "\n");
}

/** The one private key in the text. Throws CONFIG_INVALID. */
export function privateBlockOf(bare: string): PemBlock {
  // No key file holds a backslash: these stood for line breaks in a variable, a .env file or JSON.
  const text = bare.replaceAll(/(?:\\+r)?\\+n/g, "\n");
  const blocks = [...text.matchAll(/-----BEGIN ([A-Z0-9 ]{1,64})-----([\s\S]*?)-----END \1-----/g)].map(
    ([, label = "", body = ""]) => ({ label, body }),
  );
  const keys = blocks.filter(({ label }) => label.endsWith("PRIVATE KEY"));
  const [key] = keys;
  if (key === undefined) throw otherKind(text, blocks[0]?.label);
  if (keys.length > 1) {
    throw unusableKey("it holds several private keys", "Give the one that logs in, alone.");
  }
  const [, dek, encrypted] =
    /^\s*Proc-Type: ?4,ENCRYPTED\s+DEK-Info: ?([A-Za-z0-9-]+,[0-9A-Fa-f]+)\s+([\s\S]*)$/.exec(key.body) ?? [];
  const base64 = (encrypted ?? key.body).replaceAll(/\s+/g, "");
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) {
    throw unusableKey(
      "it is damaged: between its first and its last line stands something that is not base64",
      "Give the whole file as it is, from -----BEGIN to -----END.",
    );
  }
  return { label: key.label, encryption: dek ?? null, base64 };
}

/** As programs expect it: one line each for the marks, 64 characters a line between. */
export function pemOf({ label, encryption, base64 }: PemBlock): string {
  const head = encryption === null ? "" : `Proc-Type: 4,ENCRYPTED\nDEK-Info: ${encryption}\n\n`;
  return `-----BEGIN ${label}-----\n${head}${base64.replaceAll(/.{64}(?=.)/g, "$&\n")}\n-----END ${label}-----\n`;
}

function otherKind(text: string, label: string | undefined): LockstepError {
  if (/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(text)) {
    return unusableKey(
      "it is cut off: the line -----END … that belongs to its first one is missing",
      "Give the whole file, from -----BEGIN to -----END.",
    );
  }
  if (label === "CERTIFICATE" || label === "CERTIFICATE REQUEST") {
    return unusableKey("it is a certificate of TLS", `Give an SSH private key, or ${MAKE_KEY}`);
  }
  if (/^[a-z0-9@.-]+-cert-v0[01]@openssh\.com\s/.test(text)) {
    return unusableKey(
      "it is an SSH certificate, and Lockstep logs in with keys alone",
      "Give the private key that the certificate was made for, and add its public key to authorized_keys on the host.",
    );
  }
  if (/^(?:ssh-|ecdsa-|sk-|---- BEGIN SSH2 PUBLIC)/.test(text) || label?.endsWith("PUBLIC KEY") === true) {
    return unusableKey("it is a public key", "Give the file without `.pub`.");
  }
  if (text.startsWith("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY")) {
    return unusableKey(
      "it has the format of SSH Communications Security",
      "Convert it: ssh-keygen -i -f KEY >NEW_KEY (without a passphrase).",
    );
  }
  if (/^(?:~|\.{0,2}\/|[A-Za-z]:\\)[^\n]*$/.test(text)) {
    return unusableKey(
      "it is the name of a file, not what is in it",
      'Write `privateKey: "${file:~/.ssh/id_ed25519}"`.',
    );
  }
  if (isBase64OfKey(text)) {
    return unusableKey(
      "it is a key file once more in base64",
      "Decode it (`base64 -d`), and give what comes out.",
    );
  }
  return unusableKey("it is not a private key file", "Give the whole file, from -----BEGIN to -----END.");
}

function isBase64OfKey(text: string): boolean {
  const bare = text.replaceAll(/\s+/g, "");
  return (
    /^[A-Za-z0-9+/]+={0,2}$/.test(bare) &&
    Buffer.from(bare, "base64").toString("latin1").includes("-----BEGIN ")
  );
}
