/**
 * A process that speaks with the server of its first argument in every way that fails, and writes what it was told: what
 * a debugging variable prints is seen from outside alone. It ends by itself, with its lines still open.
 */
import { inspect } from "node:util";
import { createVault } from "../../src/adapters/vault/create-vault.ts";
import { createKv } from "../../src/adapters/vault/kv.ts";
import { createTransit } from "../../src/adapters/vault/transit.ts";
import { SecretValue } from "../../src/core/secret-value.ts";

const [, , address = "", canary = ""] = process.argv;
const server = { address, namespace: null, caCertificate: null };
const signal = new AbortController().signal;
const secret = (what: string): SecretValue => SecretValue.of(`${canary}-${what}`);
const byRole = createVault({
  server,
  credential: {
    kind: "approle",
    mount: "approle",
    roleId: secret("role"),
    secretId: { kind: "plain", secretId: secret("secret") },
  },
});
const byToken = createVault({ server, credential: { kind: "token", token: secret("token") } });
const value = { key: `${canary}-value` };

const work = [byRole, byToken].flatMap((vault) => [
  () => createKv(vault).write({ mount: "kv", path: "quoted" }, value, 0, signal),
  () => createKv(vault).write({ mount: "kv", path: "cut" }, value, 0, signal),
  () => createKv(vault).read({ mount: "kv", path: "html" }, signal),
  () => createTransit(vault, { mount: "transit", key: "k" }).decrypt([`${canary}-ciphertext`], signal),
  () => vault.lookupSelf(signal),
]);
const told: string[] = [];
for (const one of work) {
  const outcome = await one().catch((error: unknown) => error);
  told.push(
    inspect(outcome, { depth: 20, showHidden: true }),
    JSON.stringify(outcome),
    String((outcome as Error).stack),
  );
}
told.push(inspect([byRole, byToken], { depth: 20, showHidden: true }), JSON.stringify([byRole, byToken]));
process.stdout.write(told.join("\n"));
