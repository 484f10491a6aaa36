/** A certificate that Node's own reader, and a real TLS handshake, take for what it says. */
import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:tls";
import { expect, test } from "vitest";
import { makeSelfSigned } from "../../src/adapters/crypto/self-signed.ts";

test("it is signed by its own key, for ten years, and signs no other", () => {
  const { certificatePem, privateKeyPem } = makeSelfSigned(new Date("2030-02-28T12:00:00Z"));
  const read = new X509Certificate(certificatePem);
  expect(read.verify(read.publicKey)).toBe(true);
  expect(read.checkPrivateKey(createPrivateKey(privateKeyPem))).toBe(true);
  expect(new Date(read.validFrom)).toEqual(new Date("2030-02-28T11:00:00Z"));
  expect(new Date(read.validTo)).toEqual(new Date("2040-02-28T12:00:00Z"));
  expect(read.subject).toBe("CN=lockstep agents");
  expect(read.ca).toBe(false);
});

test("it is still valid when its end needs four digits for the year", () => {
  const { certificatePem } = makeSelfSigned(new Date("2049-12-31T12:00:00Z"));
  expect(new Date(new X509Certificate(certificatePem).validTo)).toEqual(new Date("2059-12-31T12:00:00Z"));
});

test("no two are alike", () => {
  const serials = Array.from(
    { length: 20 },
    () => new X509Certificate(makeSelfSigned(new Date()).certificatePem).serialNumber,
  );
  expect(new Set(serials).size).toBe(20);
});

test("a client that trusts it by its key's digest sees the same key", async () => {
  const made = makeSelfSigned(new Date());
  const digest = (pem: X509Certificate): string =>
    createHash("sha256")
      .update(pem.publicKey.export({ type: "spki", format: "der" }))
      .digest("base64url");
  const server = createServer({ cert: made.certificatePem, key: made.privateKeyPem }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect({
    port: (server.address() as AddressInfo).port,
    host: "127.0.0.1",
    ca: made.certificatePem,
    checkServerIdentity: () => undefined,
  });
  await once(socket, "secureConnect");
  const seen = socket.getPeerX509Certificate();
  socket.destroy();
  server.close();
  expect(socket.authorized).toBe(true);
  expect(seen && digest(seen)).toBe(digest(new X509Certificate(made.certificatePem)));
});
