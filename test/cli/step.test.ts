/** What people must do at places in other hands, on the command line. */
import { beforeEach, expect, test } from "vitest";
import { manualKind } from "../../src/adapters/targets/manual/target.ts";
import type { AppContext } from "../../src/app/base/context.ts";
import { useCliServer } from "../support/cli-server.ts";
import { useDatabase } from "../support/database.ts";
import { createLoopKit, type LoopKit } from "../support/loop-kit.ts";

const CANARY = "canary-9d20-value";
const getDatabase = useDatabase();
let kit: LoopKit;
let context: AppContext;
const server = useCliServer(() => {
  kit = createLoopKit(getDatabase());
  context = kit.other({ targetKinds: new Map([...kit.context.targetKinds, ["manual", manualKind]]) });
  return context;
});
const { cli } = server;

beforeEach(async () => {
  await kit.reset();
  await kit.target("partner");
  const { config } = manualKind.parse({ manual: { instructions: "Console, page Keys.\nNever by mail." } });
  await kit.rows(
    `update target set kind = 'manual', config = '${JSON.stringify(config)}' where name = 'partner'`,
  );
  await kit.secret("API_KEY");
  await kit.bind("API_KEY", "partner", { role: "caller" });
  await kit.set("API_KEY", CANARY, context);
  await kit.drain(context);
});

test("from the list over the value to the word that it is done", async () => {
  const listed = await cli("step list");
  expect(listed.stdout).toMatch(/partner +production +API_KEY: set to v1/);
  const shown = await cli("step show partner");
  expect(shown.stdout).toContain("  Console, page Keys.\n  Never by mail.\n");
  expect(shown.stdout).toMatch(/API_KEY +set to v1 +API_KEY +–/);
  expect(shown.stderr).toContain("lockstep step reveal partner API_KEY --environment production");
  expect(`${listed.stdout}${shown.stdout}${shown.stderr}`).not.toContain(CANARY);

  const revealed = await cli("step reveal partner API_KEY");
  expect(revealed).toMatchObject({ exitCode: 0, stdout: CANARY });
  const again = await cli("step reveal partner API_KEY");
  expect(again).toMatchObject({ exitCode: 1, stdout: "" });
  expect(again.stderr).toContain("STEP_REVEALED");

  expect((await cli("step confirm partner --yes")).exitCode).toBe(0);
  await kit.drain(context);
  expect((await cli("step list")).stdout).toContain("Nothing must be done by hand.");
  expect(await kit.rows("select state from rollout")).toEqual([{ state: "done" }]);
});

test("asks before it believes, and does not without a terminal", async () => {
  const refused = await cli("step confirm partner", { types: "n\n" });
  expect(refused.exitCode).toBe(1);
  const unattended = await cli("step confirm partner");
  expect(unattended).toMatchObject({ exitCode: 64 });
  expect(unattended.stderr).toContain("--yes");
  const { stdout } = await cli("step list --json");
  expect(JSON.parse(stdout)).toMatchObject({ steps: [{ target: "partner", isOpen: true }] });
});

test("whoever may only look sees what is to be done, and no value", async () => {
  const env = { LOCKSTEP_TOKEN: await server.http.token("viewer") };
  expect((await cli("step show partner", { env })).exitCode).toBe(0);
  for (const line of ["step reveal partner API_KEY", "step confirm partner --yes"]) {
    const refused = await cli(line, { env });
    expect(refused.exitCode).not.toBe(0);
    expect(refused.stderr).toContain("FORBIDDEN");
  }
  // Refused before anything was shown: it can be revealed still.
  expect((await cli("step reveal partner API_KEY")).stdout).toBe(CANARY);
});
