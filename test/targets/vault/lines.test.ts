/** Lines that a process keeps: one for each server and credential, and never taken from under whoever asks over it. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseVault, readConfig } from "../../../src/adapters/targets/vault/config.ts";
import { VaultLines } from "../../../src/adapters/targets/vault/log-in/lines.ts";
import { closeVaultLines } from "../../../src/adapters/vault/create-vault.ts";
import { startVault, type VaultDouble } from "../../../src/simulator/vault/vault.ts";

const signal = new AbortController().signal;
const AT = { mount: "kv", path: "apps/api" };

let vault: VaultDouble;
let lines: VaultLines;

beforeEach(async () => {
  vault = await startVault();
  vault.mount("kv-v2", "kv");
  lines = new VaultLines({}, 3);
});
afterEach(async () => {
  await closeVaultLines();
  await vault.stop();
});

const lineWith = (token: string) => {
  const config = readConfig(parseVault({ vault: { address: vault.address, ...AT } }).config);
  return lines.lineTo(config, { token }, { targetName: "t", keepCredentials: async () => undefined });
};

describe("lines to servers", () => {
  it("are one for all who come with the same credential: one log-in, however many", async () => {
    const opened = Array.from({ length: 200 }, () => lineWith(vault.rootToken));
    await Promise.all(opened.slice(0, 20).map(({ kv }) => kv.read(AT, signal)));
    for (const { end } of opened) end();
    expect(vault.calls.list({ path: "auth/token/lookup-self" })).toHaveLength(1);
  });

  it("end when nobody has used them for longest, and not while somebody does", async () => {
    const held = vault.fault({ method: "POST", path: "kv/data/*" }, { kind: "held", at: "answer" });
    const asked = lineWith(vault.rootToken);
    const writing = asked.kv.write(AT, { KEY: "value" }, 0, signal);
    await held.hit();
    const others = Array.from({ length: 9 }, () => lineWith(vault.token({ policies: ["root"] })));
    for (const { end } of others) end();
    held.release();
    expect(await writing).toMatchObject({ version: 1 });

    asked.end();
    asked.end();
    const more = Array.from({ length: 3 }, () => lineWith(vault.token({ policies: ["root"] })));
    for (const { end } of more) end();
    await lineWith(vault.rootToken).kv.read(AT, signal);
    expect(vault.calls.list({ path: "auth/token/lookup-self" })).toHaveLength(2);
  });
});
