/** Ruling 27: boot id and start time are compared everywhere a pid is. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import { lifeAsText, lifeOfProcess, livingProcessIn, type ProcessLife } from "../../src/lib/process-life.ts";

const child = spawn("/bin/sleep", ["600"], { stdio: "ignore" });
let life: ProcessLife;

beforeAll(async () => {
  if (child.pid === undefined) await once(child, "spawn");
  const found = await lifeOfProcess(child.pid ?? 0);
  if (found === null) throw new Error("the system tells nothing of it");
  life = found;
});
afterAll(async () => {
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
  expect(await livingProcessIn(lifeAsText(life))).toBeNull();
});

test("a process is found by what was written of it", async () => {
  expect(await livingProcessIn(`${lifeAsText(life)}\n`)).toBe(child.pid);
});

test.each([
  ["started at another time", (): ProcessLife => ({ ...life, startedAt: life.startedAt - 1 })],
  ["since another start of the machine", (): ProcessLife => ({ ...life, bootId: "another" })],
  ["under another number", (): ProcessLife => ({ ...life, pid: process.pid })],
])("ruling 27: one that runs %s is not it", async (_what, other) => {
  expect(await livingProcessIn(lifeAsText(other()))).toBeNull();
});

test.each(["", "1", "-1 x 0", `${process.pid}`, "0 x 0", "99999999999 x 0"])(
  "%j names nobody",
  async (text) => {
    expect(await livingProcessIn(text)).toBeNull();
  },
);
