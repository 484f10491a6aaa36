/**
 * What we offer a server. Listed in full instead of subtracted from the library's defaults: these contain SHA-1
 * (`ssh-rsa`, `hmac-sha1`), and a later release could add what we would not choose. No CBC, no SHA-1, no compression.
 */
import type { Algorithms, ServerHostKeyAlgorithm } from "ssh2";
import type { HostKeyType } from "./host-key.ts";

const SIGNATURES: Readonly<Record<HostKeyType, readonly ServerHostKeyAlgorithm[]>> = {
  "ssh-ed25519": ["ssh-ed25519"],
  "ecdsa-sha2-nistp256": ["ecdsa-sha2-nistp256"],
  "ecdsa-sha2-nistp384": ["ecdsa-sha2-nistp384"],
  "ecdsa-sha2-nistp521": ["ecdsa-sha2-nistp521"],
  // An RSA key signs with SHA-2 only; `ssh-rsa` as an algorithm would mean SHA-1.
  "ssh-rsa": ["rsa-sha2-512", "rsa-sha2-256"],
};

/** `types`: the pin's type alone, or every type that is used while a key is only being fetched. */
export function algorithmsFor(types: readonly HostKeyType[]): Algorithms {
  return {
    kex: [
      "curve25519-sha256",
      "curve25519-sha256@libssh.org",
      "ecdh-sha2-nistp256",
      "ecdh-sha2-nistp384",
      "ecdh-sha2-nistp521",
      "diffie-hellman-group16-sha512",
      "diffie-hellman-group18-sha512",
      "diffie-hellman-group14-sha256",
      "diffie-hellman-group-exchange-sha256",
    ],
    serverHostKey: types.flatMap((type) => [...SIGNATURES[type]]),
    cipher: [
      "aes128-gcm@openssh.com",
      "aes256-gcm@openssh.com",
      "chacha20-poly1305@openssh.com",
      "aes128-ctr",
      "aes192-ctr",
      "aes256-ctr",
    ],
    hmac: [
      "hmac-sha2-256-etm@openssh.com",
      "hmac-sha2-512-etm@openssh.com",
      "hmac-sha2-256",
      "hmac-sha2-512",
    ],
    compress: ["none"],
  };
}
