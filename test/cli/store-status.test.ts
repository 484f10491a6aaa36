/** `lockstep store status`: what a person reads, and what a program reads. */
import { expect, it } from "vitest";
import { useCliServer } from "../support/cli-server.ts";
import { createConfigKit } from "../support/config-kit.ts";
import { useDatabase } from "../support/database.ts";
import { answerOf } from "../support/http-kit.ts";

const getDatabase = useDatabase();
const GIB = 1_073_741_824;
const server = useCliServer(() => ({
  ...createConfigKit(getDatabase(), "railway").context,
  freeDisk: async () => 50 * GIB,
}));

it("shows size, free disk, how long history is kept, and the tables", async () => {
  const { exitCode, stdout } = await server.cli("store status");
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(
    /^The store takes \d+(\.\d)? [KM]iB\. What it grows by is known after three days\. 50\.0 GiB of disk are left\.$/m,
  );
  expect(stdout).toMatch(/^changes +90 d *$/m);
  expect(stdout).toMatch(/^pushes +400 d *$/m);
  expect(stdout).toMatch(/^audit_entry +\d+ +\d+(\.\d)? KiB *$/m);
  expect(stdout).toContain("The audit log always stays.");
});

it("says what it grows by once that is known", async () => {
  await getDatabase().pool.query(
    `insert into store_size select (now() at time zone 'utc')::date - day, 500000000 - day * 100000000
     from unnest(array[0, 4]) day`,
  );
  const { stdout } = await server.cli("store status");
  expect(stdout).toContain(
    "It grew by 95.4 MiB a day in the last 4 days. 50.0 GiB of disk are left: enough for 536 days.",
  );
  const { json } = await server.cli("store status --json");
  expect(answerOf("storeStatus", json())).toMatchObject({
    growth: { bytesPerDay: 100_000_000, overDays: 4 },
    freeBytes: 50 * GIB,
    daysLeft: 536,
    kept: expect.arrayContaining([{ kind: "changes", forMs: 90 * 86_400_000 }]),
  });
});

it("is for whoever may look", async () => {
  server.env.LOCKSTEP_TOKEN = await server.http.token("plan");
  expect((await server.cli("store status")).exitCode).not.toBe(0);
  server.env.LOCKSTEP_TOKEN = await server.http.token("viewer");
  expect((await server.cli("store status")).exitCode).toBe(0);
});
