/**
 * Everything sealed by Vault and every value kept there, through the built program as its user runs it: with the policies
 * that are shipped, a role, TLS; started while Vault is sealed; and moved back to files and Postgres at the end.
 */
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../../src/simulator/free-port.ts";
import { startVault, type VaultDouble } from "../../src/simulator/vault/vault.ts";
import { createProgramKit } from "../support/program-kit.ts";

const VALUE = "canary-value-5e0c71d2";
const SECOND = "canary-second-b7741f90";
const TLS = JSON.parse(readFileSync(new URL("../vectors/localhost-tls.json", import.meta.url), "utf8")) as {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
};
const shipped = (name: string): string =>
  readFileSync(new URL(`../../deploy/vault/policies/${name}.hcl`, import.meta.url), "utf8");

describe.skipIf(process.platform !== "linux")("a store whose ring and values are Vault's", () => {
  const kit = createProgramKit("e2e-vault");
  const { directory, lockstep, json } = kit;
  const data = join(directory, "data");
  let vault: VaultDouble;
  let secretId: string;
  let roleId: string;
  let inVault: Readonly<Record<string, string>>;
  let up: ReturnType<typeof kit.start>;
  let url = "";
  /** Of servers alone: commands print values that were asked for. */
  let logged = "";

  /** Ready when it has said where it listens. */
  const start = async (env: Readonly<Record<string, string>>, ...words: readonly string[]) => {
    const from = logged.length;
    up = kit.start(["up", "--port", "0", ...words], { env });
    for (const stream of [up.stdout, up.stderr])
      stream?.on("data", (chunk: Buffer) => {
        logged += chunk.toString();
      });
    const said = () => /running at (http:\S+)/.exec(logged.slice(from))?.[1];
    await kit.reach("the server", () => said() !== undefined);
    url = said() ?? "";
  };
  const stop = async () => {
    const gone = once(up, "exit");
    up.kill("SIGTERM");
    await gone;
  };
  const restart = async (env: Readonly<Record<string, string>>, ...words: readonly string[]) => {
    await stop();
    await start(env, ...words);
  };
  const readiness = async (): Promise<unknown> => (await fetch(`${url}/readyz`)).json();
  const set = (value: string) => lockstep(["secret", "set", "API_KEY"], { input: value });
  const revealed = async () => (await lockstep(["secret", "reveal", "API_KEY"])).stdout.trim();

  beforeAll(async () => {
    vault = await startVault({
      mode: "vault-1.21",
      tls: { cert: TLS.certificatePem, key: TLS.privateKeyPem },
    });
    vault.mount("kv-v2", "secret");
    vault.mount("transit", "transit");
    vault.transitKey("lockstep");
    vault.policy("lockstep-ring", shipped("key-ring"));
    vault.policy("lockstep-values", shipped("value-store"));
    const role = vault.approle("lockstep", {
      token_policies: ["lockstep-ring", "lockstep-values"],
      token_ttl: "1h",
    });
    ({ roleId } = role);
    secretId = role.secretId();
    const file = (name: string, text: string): string => {
      const path = join(directory, name);
      writeFileSync(path, `${text}\n`, { mode: 0o600 });
      return path;
    };
    inVault = {
      LOCKSTEP_KEY_RING: "vault-transit",
      LOCKSTEP_VALUE_STORE: "vault",
      LOCKSTEP_VAULT_ADDR: vault.address.replace("127.0.0.1", "localhost"),
      LOCKSTEP_VAULT_CA_FILE: file("ca.pem", TLS.certificatePem),
      LOCKSTEP_VAULT_ROLE_ID_FILE: file("role-id", roleId),
      LOCKSTEP_VAULT_SECRET_ID_FILE: file("secret-id", secretId),
      // What a shell may have brought along.
      VAULT_ADDR: "http://127.0.0.1:9",
      VAULT_TOKEN: "not-ours",
      VAULT_SKIP_VERIFY: "true",
    };
    await start(inVault, "--agents", `127.0.0.1:${await freePort()}`);
  }, 120_000);
  afterAll(async () => {
    await kit.stop();
    await vault.stop();
  }, 60_000);

  it("needs no root key file, and keeps the value in Vault alone", async () => {
    expect((await set(VALUE)).code).toBe(0);
    expect(await revealed()).toBe(VALUE);
    expect(existsSync(join(data, "root.key"))).toBe(false);
    expect(logged).toMatch(
      /vault-transit transit\/lockstep.*AppRole at auth\/approle.*Vault keeps what is named/,
    );
    const [entry] = (await json("audit", "list")).entries.filter(
      ({ action }: { action: string }) => action === "version.created",
    );
    expect(JSON.stringify(entry.details)).toContain("vault");
    expect(vault.calls.list({ method: "POST", path: "secret/data/*" })).toHaveLength(1);
    expect(holding(data, VALUE)).toEqual([]);
  }, 60_000);

  it("starts while Vault is sealed, says so, does what needs no value, and goes on by itself", async () => {
    vault.become("sealed");
    await restart(inVault, "--agents", `127.0.0.1:${await freePort()}`);
    expect(await readiness()).toEqual({ status: "ok", keyRing: "KEY_RING_UNAVAILABLE" });
    expect(logged).toContain("no key ring; what needs no value goes on");
    expect(logged).toContain("agents are not served yet");
    expect((await lockstep(["secret", "list"])).stdout).toContain("API_KEY");
    const refused = await set(SECOND);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("error KEY_RING_UNAVAILABLE");
    expect(refused.stderr).toContain("sealed");
    const { findings } = await json("doctor");
    expect(findings.map(({ id }: { id: string }) => id)).toContain("key-ring-away");

    // Somebody also put a wrong secret id there: doctor names the setting, and another one needs no restart.
    const file = inVault["LOCKSTEP_VAULT_SECRET_ID_FILE"] ?? "";
    writeFileSync(file, "not-one\n");
    vault.become("active");
    await kit.reach("the refusal", async () =>
      JSON.stringify((await json("doctor")).findings).includes(
        "the file that LOCKSTEP_VAULT_SECRET_ID_FILE names",
      ),
    );
    writeFileSync(file, `${secretId}\n`);
    await kit.reach("its ring", async () => !JSON.stringify(await readiness()).includes("keyRing"));
    await kit.reach("agents' listener", () => logged.includes("agents are served"));
    expect((await set(SECOND)).code).toBe(0);
    expect(await revealed()).toBe(SECOND);
  }, 120_000);

  it("is moved to a newer version of its key", async () => {
    vault.request("POST", "transit/keys/lockstep/rotate");
    const { left, ring, elsewhere } = await json("rewrap");
    expect({ left, ring, elsewhere }).toEqual({
      left: 0,
      ring: "vault-transit transit/lockstep v2",
      elsewhere: 2,
    });
    vault.request("POST", "transit/keys/lockstep/config", { min_decryption_version: 2 });
    expect(await revealed()).toBe(SECOND);
  }, 60_000);

  it("goes back to Postgres and a root key file, and needs no Vault any more", async () => {
    await restart({
      ...inVault,
      LOCKSTEP_KEY_RING: "local",
      LOCKSTEP_PREVIOUS_KEY_RING: "vault-transit",
      LOCKSTEP_VALUE_STORE: "postgres",
      LOCKSTEP_ROOT_KEY_FILE: newRootKey(directory),
    });
    expect(await json("store", "move-values")).toMatchObject({ to: "postgres", left: 0, unreadable: [] });
    expect(await json("rewrap")).toMatchObject({ left: 0, elsewhere: 0 });
    expect(vault.request("LIST", "secret/metadata/lockstep").status).toBe(404);

    await restart({ LOCKSTEP_ROOT_KEY_FILE: join(directory, "new-root.key") });
    await vault.stop();
    expect(await revealed()).toBe(SECOND);
    expect((await json("secret", "versions", "API_KEY")).versions).toHaveLength(2);
  }, 120_000);

  it("has told nobody a value, a token or a secret id, and done nothing careless at Vault", () => {
    // How each of its tokens begins.
    for (const secret of [VALUE, SECOND, secretId, roleId, "hvs."]) {
      expect(logged).not.toContain(secret);
      expect(holding(data, secret)).toEqual([]);
    }
    expect(vault.offences).toEqual([]);
  });
});

function newRootKey(directory: string): string {
  const path = join(directory, "new-root.key");
  writeFileSync(path, `${Buffer.alloc(32, 7).toString("base64url")}\n`, { mode: 0o600 });
  return path;
}

/** Files below a directory that hold a text: tables, write-ahead log, queue and the server's own files. */
function holding(directory: string, text: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" }).filter((name) => {
    const path = join(directory, name);
    return statSync(path).isFile() && readFileSync(path).includes(text);
  });
}
