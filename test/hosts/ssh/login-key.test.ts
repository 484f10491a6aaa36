import { execFileSync } from "node:child_process";
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, verify } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { parseLoginKey } from "../../../src/adapters/hosts/ssh/login-key.ts";
import type { LockstepError } from "../../../src/core/errors.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { lacks } from "../../support/servers.ts";

const PASSPHRASE = "correct horse";
const directory = mkdtempSync(join(tmpdir(), "lockstep-keys-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function open(text: string, passphrase?: string) {
  return parseLoginKey(
    SecretValue.of(text),
    passphrase === undefined ? undefined : SecretValue.of(passphrase),
  );
}

function refused(text: string, passphrase?: string): LockstepError {
  try {
    open(text, passphrase);
  } catch (error) {
    return error as LockstepError;
  }
  throw new Error("it was expected to be refused");
}

let made = 0;
function keygen(...words: string[]): string {
  made += 1;
  const path = join(directory, `key-${made}`);
  execFileSync("ssh-keygen", ["-q", "-a", "1", "-C", "", "-f", path, ...words]);
  return path;
}

const ED25519 = generateKeyPairSync("ed25519");
const PKCS8 = ED25519.privateKey.export({ type: "pkcs8", format: "pem" }).toString();

describe("a private key in PKCS#8 or OpenSSL's formats", () => {
  const kinds = {
    ed25519: generateKeyPairSync("ed25519"),
    rsa: generateKeyPairSync("rsa", { modulusLength: 2048 }),
    "P-256": generateKeyPairSync("ec", { namedCurve: "P-256" }),
    "P-384": generateKeyPairSync("ec", { namedCurve: "P-384" }),
    "P-521": generateKeyPairSync("ec", { namedCurve: "P-521" }),
  };

  it.each(Object.entries(kinds))("%s logs in, encrypted or not", (_name, { privateKey, publicKey }) => {
    const type = "pkcs8";
    const plain = open(privateKey.export({ type, format: "pem" }).toString());
    for (const cipher of ["aes-256-cbc", "des-ede3-cbc"]) {
      const text = privateKey.export({ type, format: "pem", cipher, passphrase: PASSPHRASE }).toString();
      expect(open(text, PASSPHRASE).fingerprint, cipher).toBe(plain.fingerprint);
      expect(refused(text).message).toContain("no passphrase is given");
      expect(refused(text, "wrong")).toMatchObject({ details: { path: "ssh.passphrase" } });
    }
    // What it signs, the public half verifies.
    if (publicKey.asymmetricKeyType === "ed25519") {
      const signed = plain.parsed.sign(Buffer.from("text"));
      expect(verify(null, Buffer.from("text"), publicKey, signed as unknown as Buffer)).toBe(true);
    }
  });

  const sealed = kinds["P-256"].privateKey
    .export({ type: "sec1", format: "pem", cipher: "aes-256-cbc", passphrase: PASSPHRASE })
    .toString();

  it("a cipher that Node lacks is told as that, whatever the passphrase", () => {
    const text = sealed.replace(/DEK-Info: .*/, "DEK-Info: DES-CBC,0123456789ABCDEF");
    for (const passphrase of [PASSPHRASE, "wrong"]) {
      const { message, details } = refused(text, passphrase);
      expect(message).toContain("a cipher that Node does not open any more");
      expect(details).toMatchObject({ path: "ssh.privateKey" });
    }
  });

  it("a wrong passphrase whose padding fits by chance is still a wrong passphrase", () => {
    const fits = Array.from({ length: 20_000 }, (_, index) => `wrong-${index}`).find((passphrase) => {
      try {
        createPrivateKey({ key: sealed, passphrase });
      } catch (error) {
        return (error as { code: string }).code === "ERR_OSSL_UNSUPPORTED";
      }
      return false;
    });
    expect(refused(sealed, fits)).toMatchObject({ details: { path: "ssh.passphrase" } });
  });

  it("RSA and EC in the older formats, encrypted or not", () => {
    for (const [key, type] of [
      [kinds.rsa.privateKey, "pkcs1"],
      [kinds["P-256"].privateKey, "sec1"],
    ] as const) {
      const { fingerprint } = open(key.export({ type, format: "pem" }).toString());
      const locked = key.export({ type, format: "pem", cipher: "aes-128-cbc", passphrase: PASSPHRASE });
      expect(open(locked.toString(), PASSPHRASE).fingerprint).toBe(fingerprint);
      // One line, as a variable keeps it: the head of an encrypted key too.
      expect(open(locked.toString().replaceAll("\n", "\\n"), PASSPHRASE).fingerprint).toBe(fingerprint);
      expect(open(locked.toString().replaceAll("\n", " "), PASSPHRASE).fingerprint).toBe(fingerprint);
    }
  });

  it("always makes an ed25519 key that signs for its own public half", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (seed) => {
        const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
        const pem = `-----BEGIN PRIVATE KEY-----\n${der.toString("base64")}\n-----END PRIVATE KEY-----\n`;
        const signed = open(pem).parsed.sign(Buffer.from("text")) as unknown as Buffer;
        return verify(null, Buffer.from("text"), createPublicKey(pem), signed);
      }),
      { numRuns: 50 },
    );
  });

  it.each([
    ["ed448", () => generateKeyPairSync("ed448").privateKey],
    ["x25519", () => generateKeyPairSync("x25519").privateKey],
    ["secp256k1", () => generateKeyPairSync("ec", { namedCurve: "secp256k1" }).privateKey],
    ["DSA", () => generateKeyPairSync("dsa", { modulusLength: 1024, divisorLength: 160 }).privateKey],
  ])("%s is refused with the command that makes another", (_name, make) => {
    const error = refused(make().export({ type: "pkcs8", format: "pem" }).toString());
    expect(error.message).toContain("of a type that SSH does not use");
    expect(error.hint).toContain("ssh-keygen -t ed25519");
  });
});

describe("a private key's text on its way", () => {
  const { fingerprint } = open(PKCS8);
  const ways: Readonly<Record<string, (text: string) => string>> = {
    CRLF: (text) => text.replaceAll("\n", "\r\n"),
    "CR alone": (text) => text.replaceAll("\n", "\r"),
    "no final newline": (text) => text.trimEnd(),
    "written \\n": (text) => text.replaceAll("\n", "\\n"),
    "written \\r\\n": (text) => text.replaceAll("\n", "\\r\\n"),
    "doubly written \\n": (text) => text.replaceAll("\n", "\\\\n"),
    "a mark in front": (text) => `\uFEFF${text}`,
    "double quotes": (text) => `"${text}"`,
    "single quotes and a newline": (text) => `'${text}'\n`,
    "quotes and written \\n": (text) => `"${text.trimEnd().replaceAll("\n", "\\n")}"`,
    "spaces around": (text) => `\n  ${text}  \n\n`,
    "indented lines": (text) => text.replaceAll(/^/gm, "    "),
    "spaces for newlines": (text) => text.replaceAll("\n", " "),
    "text around": (text) => `Bag Attributes: none\n${text}# my key\n`,
    "one long line": (text) => text.replace(/\n(?=[A-Za-z0-9+/=]+\n[A-Za-z0-9+/=])/g, ""),
  };

  it.each(Object.keys(ways))("with %s is the same key", (way) => {
    expect(open(ways[way]?.(PKCS8) ?? "").fingerprint).toBe(fingerprint);
  });

  it("with any two of these is the same key", () => {
    // A mark stands in front of everything or is none.
    const names = Object.keys(ways).filter((name) => !/mark|quotes/.test(name));
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.constantFrom(...names), (first, second) => {
        const text = ways[second]?.(ways[first]?.(PKCS8) ?? "") ?? "";
        return open(text).fingerprint === fingerprint && open(`\uFEFF"${text}"`).fingerprint === fingerprint;
      }),
    );
  });

  it.each([
    ["cut off", PKCS8.slice(0, 80), "cut off", "to -----END"],
    ["two keys", PKCS8 + PKCS8, "several private keys", "alone"],
    ["a damaged body", PKCS8.replace(/\n./, "\n%"), "not base64", "whole file"],
    ["a shortened body", PKCS8.replace(/\n.{8}/, "\n"), "damaged", "whole file"],
    ["its file's name", "~/.ssh/id_ed25519", "the name of a file", "${file:"],
    ["base64 of the file", Buffer.from(PKCS8).toString("base64"), "once more in base64", "base64 -d"],
    ["UTF-16 read as UTF-8", Buffer.from(PKCS8, "utf16le").toString("utf8"), "not text in UTF-8", "UTF-8"],
    ["a public key", "ssh-ed25519 AAAA me", "a public key", "without `.pub`"],
    [
      "a public key in PEM",
      ED25519.publicKey.export({ type: "spki", format: "pem" }).toString(),
      "a public key",
      "`.pub`",
    ],
    [
      "a certificate of SSH",
      "ssh-ed25519-cert-v01@openssh.com AAAA me",
      "an SSH certificate",
      "authorized_keys",
    ],
    [
      "a certificate of TLS",
      "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
      "certificate of TLS",
      "ssh-keygen",
    ],
    ["PuTTY's file", "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n", "PuTTY's format", "puttygen"],
    [
      "ssh.com's file",
      "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nAAAA\n---- END SSH2 ENCRYPTED PRIVATE KEY ----",
      "SSH Communications",
      "ssh-keygen -i",
    ],
    [
      "a DSA key",
      "-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----",
      "DSA",
      "ssh-keygen -t ed25519",
    ],
    ["nothing like it", "hunter2", "not a private key file", "whole file"],
  ])("%s is refused in words, and not repeated", (_name, text, why, remedy) => {
    const error = refused(text);
    expect(error).toMatchObject({ code: "CONFIG_INVALID", details: { path: "ssh.privateKey" } });
    expect(error.message).toContain(why);
    expect(error.hint).toContain(remedy);
    const body = PKCS8.split("\n")[1] ?? "";
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain(body.slice(8, 40));
  });

  it("never answers with anything but a key or a refusal", () => {
    const piece = fc.constantFrom(
      "-----BEGIN ",
      "-----END ",
      "PRIVATE KEY",
      "OPENSSH ",
      "-----",
      "\n",
      "\\n",
      '"',
    );
    const text = fc.array(fc.oneof(piece, fc.base64String(), fc.string())).map((parts) => parts.join(""));
    fc.assert(
      fc.property(text, (given) => {
        expect(refused(given).code).toBe("CONFIG_INVALID");
      }),
    );
  });
});

describe.skipIf(lacks("sshd"))("a private key of ssh-keygen", () => {
  it.each(["aes256-ctr", "aes128-cbc", "3des-cbc", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com"])(
    "encrypted with %s opens with its passphrase",
    (cipher) => {
      const path = keygen("-t", "ed25519", "-Z", cipher, "-N", PASSPHRASE);
      const text = readFileSync(path, "utf8");
      const shown = execFileSync("ssh-keygen", ["-l", "-f", `${path}.pub`], { encoding: "utf8" });
      expect(shown).toContain(open(text, PASSPHRASE).fingerprint);
      expect(refused(text).message).toContain("no passphrase is given");
      expect(refused(text, "").message).toContain("no passphrase is given");
      expect(refused(text, "wrong").message).toContain("does not open it");
    },
  );

  it("encrypted with chacha20-poly1305 is refused, and the command in the hint makes it fit", () => {
    const path = keygen("-t", "ed25519", "-Z", "chacha20-poly1305@openssh.com", "-N", PASSPHRASE);
    const error = refused(readFileSync(path, "utf8"), PASSPHRASE);
    expect(error.message).toContain("chacha20-poly1305");
    const [, command = ""] = /: ssh-keygen (.*) -f KEY\./.exec(error.hint) ?? [];
    const words = ["-a", "1", "-P", PASSPHRASE, "-N", PASSPHRASE, "-f", path];
    execFileSync("ssh-keygen", [...command.split(" "), ...words]);
    expect(open(readFileSync(path, "utf8"), PASSPHRASE).fingerprint).toMatch(/^SHA256:/);
  });

  it("of a security key is refused", () => {
    const field = (bytes: Buffer | string) => {
      const body = Buffer.from(bytes);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(body.length);
      return Buffer.concat([length, body]);
    };
    const whole = Buffer.concat([
      Buffer.from("openssh-key-v1\0"),
      ...[field("none"), field("none"), field(""), Buffer.from([0, 0, 0, 1])],
      field(field("sk-ssh-ed25519@openssh.com")),
      field(randomBytes(64)),
    ]);
    const path = join(directory, "sk");
    writeFileSync(
      path,
      `-----BEGIN OPENSSH PRIVATE KEY-----\n${whole.toString("base64")}\n-----END OPENSSH PRIVATE KEY-----\n`,
    );
    const error = refused(readFileSync(path, "utf8"));
    expect(error.message).toContain("security key");
    expect(error.hint).toContain("ssh-keygen -t ed25519");
  });
});
