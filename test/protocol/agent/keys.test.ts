/** Keys that everything about agents rests on. */
import { execFile } from "node:child_process";
import { createPrivateKey, createPublicKey, diffieHellman, sign, verify } from "node:crypto";
import { join } from "node:path";
import { promisify } from "node:util";
import { calculateJwkThumbprint } from "jose";
import { expect, test } from "vitest";
import { newEncryptionKey, newSigningKey, publicPart, thumbprint } from "../../../src/protocol/agent/keys.ts";
import { childProgram } from "../../support/child-program.ts";

test("what is signed with the private half verifies with the public half", () => {
  const key = newSigningKey();
  const signature = sign(null, Buffer.from("text"), createPrivateKey({ key, format: "jwk" }));
  const publicKey = createPublicKey({ key: publicPart(key), format: "jwk" });
  expect(verify(null, Buffer.from("text"), publicKey, signature)).toBe(true);
  expect(Object.keys(publicPart(key))).not.toContain("d");
});

test("two keys for encryption agree on a secret", () => {
  const [one, other] = [newEncryptionKey(), newEncryptionKey()];
  const agreed = (mine: typeof one, theirs: typeof one) =>
    diffieHellman({
      privateKey: createPrivateKey({ key: mine, format: "jwk" }),
      publicKey: createPublicKey({ key: publicPart(theirs), format: "jwk" }),
    });
  expect(agreed(one, other)).toEqual(agreed(other, one));
});

test("a key's name is the standard's", async () => {
  const key = publicPart(newSigningKey());
  expect(thumbprint(key)).toBe(await calculateJwkThumbprint({ ...key }));
});

/** With little room garbage is collected often, so that a mishap that comes with it shows in two of three runs. */
test("making keys ends, also when garbage is collected in the middle of it", async () => {
  const made = await promisify(execFile)(
    process.execPath,
    ["--max-semi-space-size=1", await childProgram(join(import.meta.dirname, "make-keys.ts"))],
    { timeout: 30_000, killSignal: "SIGKILL" },
  );
  expect(made.stdout).toBe("made\n");
}, 40_000);
