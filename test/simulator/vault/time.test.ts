/** What ends by time does so by the double's clock. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { ManualClock } from "../../../src/simulator/railway/clock.ts";
import { startVault, type VaultDouble } from "../../../src/simulator/vault/vault.ts";
import { objectIn, type Wire } from "../../conformance/vault/wire.ts";
import { askerOf, write } from "./support.ts";

const MINUTE = 60_000;
let vault: VaultDouble;
let ask: Wire["ask"];
const clock = new ManualClock();

beforeAll(async () => {
  vault = await startVault({ clock });
  vault.mount("kv-v2", "secret");
  ask = askerOf(vault);
});

afterAll(() => vault.stop());

const alive = async (token: string) => (await ask("GET", "auth/token/lookup-self", { token })).status === 200;
async function renewed(token: string, increment: string): Promise<number> {
  const { json } = await ask("POST", "auth/token/renew-self", { token, body: { increment } });
  return Number(objectIn(json, "auth")["lease_duration"]);
}

test("a token ends with its seconds, and a renewal moves its end", async () => {
  const token = vault.token({ ttl: 600 });
  clock.advance(9 * MINUTE);
  expect(await renewed(token, "600s")).toBe(600);
  clock.advance(9 * MINUTE);
  expect(await alive(token)).toBe(true);
  clock.advance(MINUTE);
  expect(await alive(token)).toBe(false);
});

test("renewals shrink towards the role's maximum and then end", async () => {
  const token = vault.token({ ttl: 600, roleMaxSeconds: 1500 });
  const granted: number[] = [];
  for (let n = 0; n < 3; n += 1) {
    clock.advance(8 * MINUTE);
    granted.push(await renewed(token, "600s"));
  }
  expect(granted).toEqual([600, 540, 60]);
  clock.advance(MINUTE);
  expect(await alive(token)).toBe(false);
});

test("a periodic token lives as long as it is renewed, unless an explicit maximum ends it", async () => {
  const [endless, ended] = [
    vault.token({ periodSeconds: 600 }),
    vault.token({ periodSeconds: 600, explicitMaxSeconds: 1500 }),
  ];
  for (let n = 0; n < 3; n += 1) {
    clock.advance(8 * MINUTE);
    expect(await renewed(endless, "1s")).toBe(600);
    await renewed(ended, "1s");
  }
  clock.advance(MINUTE);
  expect([await alive(endless), await alive(ended)]).toEqual([true, false]);
});

test("no token outlives the mount's maximum of 768 hours", async () => {
  const token = vault.token({ ttl: 768 * 3600 });
  clock.advance(767 * 3_600_000);
  expect(await renewed(token, "768h")).toBe(3600);
});

test("secret ids, wrapping tokens and versions end", async () => {
  const role = vault.approle("app", { secret_id_ttl: "10m" });
  const [secretId, wrapped] = [role.secretId(), role.wrappedSecretId("5m")];
  await ask("POST", "secret/metadata/short", { body: { delete_version_after: "10m" } });
  await ask("POST", "secret/data/short", write(0));
  clock.advance(5 * MINUTE);
  expect((await ask("POST", "sys/wrapping/unwrap", { token: wrapped })).status).toBe(400);
  expect((await ask("GET", "secret/data/short")).status).toBe(200);
  clock.advance(5 * MINUTE);
  const body = { role_id: role.roleId, secret_id: secretId };
  expect((await ask("POST", "auth/approle/login", { token: null, body })).status).toBe(400);
  const expired = await ask("GET", "secret/data/short");
  expect([expired.status, objectIn(expired.data, "metadata")["version"]]).toEqual([404, 1]);
  await ask("POST", "secret/metadata/short", { body: { delete_version_after: "0s" } });
  expect((await ask("POST", "secret/data/short", write(1))).data["deletion_time"]).toBe("");
});

test("reads are stale for a time", async () => {
  vault.staleReads({ ms: 1000 });
  await ask("POST", "secret/data/stale", write(0));
  expect((await ask("GET", "secret/data/stale")).status).toBe(404);
  clock.advance(1000);
  expect((await ask("GET", "secret/data/stale")).status).toBe(200);
  vault.staleReads(null);
});
