/** The stand-in for Vault in a process of its own, so that its work is not counted as a client's. Started by `vault.ts`. */
import { readFileSync } from "node:fs";
import { startVault } from "../../../src/simulator/vault/vault.ts";
import type { ServerReady } from "./server.ts";

const tls = JSON.parse(
  readFileSync(new URL("../../vectors/localhost-tls.json", import.meta.url), "utf8"),
) as { readonly certificatePem: string; readonly privateKeyPem: string };

const vault = await startVault({ tls: { cert: tls.certificatePem, key: tls.privateKeyPem } });
const { hostname, port } = new URL(vault.address);
// By the name that the certificate has.
const address = `https://${hostname === "127.0.0.1" ? "localhost" : hostname}:${port}`;
const ready: ServerReady = { address, token: vault.rootToken, caCertificate: tls.certificatePem };
process.send?.(ready);
process.on("SIGTERM", () => void vault.stop().finally(() => process.exit()));
