/** Killed at each step of applying, as a machine that loses power would: the next start ends what was begun. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { AgentCheckpoint } from "../../../src/edges/agent/context.ts";
import { type AgentKit, reach, startAgentKit } from "../../support/agent-kit.ts";
import { childProgram } from "../../support/child-program.ts";

const STEPS: readonly AgentCheckpoint[] = [
  "received",
  "cached",
  "planned",
  "written",
  "read-back",
  "activation-intent",
  "activated",
  "reported",
];

let kit: AgentKit;
const started: ChildProcess[] = [];

beforeEach(async () => {
  kit = await startAgentKit();
  await kit.enrol();
});
afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }
  await kit.dispose();
});

async function start(deadly: AgentCheckpoint | "none" = "none"): Promise<ChildProcess> {
  const program = await childProgram(join(import.meta.dirname, "agent-process.ts"));
  const { stateDirectory, policyFile, homeDirectory } = kit.settings;
  const child = spawn(process.execPath, [program, stateDirectory, policyFile ?? "", deadly], {
    env: { PATH: process.env["PATH"], HOME: homeDirectory },
    stdio: ["ignore", "ignore", "pipe"],
  });
  child.stderr?.on("data", (chunk: Buffer) => void kit.said.push(chunk.toString()));
  started.push(child);
  return child;
}

const lastUnit = () => kit.server.reports.at(-1)?.units[0]?.state;

it.each(STEPS)("killed at %s: everything ends right after the next start", async (step) => {
  const content = kit.content(1, "the-value");
  kit.server.set(content);
  const [, signal] = await once(await start(step), "exit");
  expect(signal).toBe("SIGKILL");

  await start();
  await reach("the end", () => lastUnit() === "succeeded", kit.said);
  expect(kit.fileText()).toBe("INTERNAL_AUTH_SECRET='the-value'\n");
  // Asked for once, and at most once more: what became of the first request died with who made it.
  expect(kit.starts()).toBeGreaterThanOrEqual(1);
  expect(kit.starts()).toBeLessThanOrEqual(2);
  const ends = kit.server.reports.flatMap(({ push }) => (push === null ? [] : [push]));
  expect(ends.length).toBeGreaterThan(0);
  expect(ends.every(({ pushId, outcome }) => pushId === content.pushId && outcome === "applied")).toBe(true);
  expect(kit.said.join("")).not.toContain("the-value");
});

it("two programs do not use one identity; one that was killed holds nobody up", async () => {
  kit.server.set(kit.content(1, "value"));
  const first = await start();
  await reach("the first", () => lastUnit() === "succeeded", kit.said);
  const second = await start();
  const [code] = await once(second, "exit");
  expect(code).not.toBe(0);
  expect(kit.said.join("")).toContain("AGENT_RUNNING");
  const gone = once(first, "exit");
  first.kill("SIGKILL");
  await gone;
  kit.server.set(kit.content(2, "next"));
  await start();
  await reach(
    "the next",
    () => kit.server.reports.at(-1)?.generation === 2 && lastUnit() === "succeeded",
    kit.said,
  );
  expect(kit.fileText()).toContain("next");
});
