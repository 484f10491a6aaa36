/** Rulings 12 and 28 on the machine: an enrolment that was broken off, and a second one over an identity that is there. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createAgentProgram } from "../../src/edges/agent/program.ts";
import { type AgentKit, reach, SHORT, startAgentKit } from "../support/agent-kit.ts";
import { type Answer, runCli } from "../support/cli-kit.ts";

const never = new AbortController().signal;
let kit: AgentKit;
let other: AgentKit;

beforeEach(async () => {
  kit = await startAgentKit();
  other = await startAgentKit();
});
afterEach(async () => {
  await kit.dispose();
  await other.dispose();
});

const program = () =>
  createAgentProgram({
    settings: kit.settings,
    version: "0.0.0-test",
    self: [process.execPath],
    write: (line) => void kit.said.push(line),
    scrubber: { know: () => undefined, scrub: (text) => text },
    timing: SHORT,
  });
const enroll = (code = kit.server.code(), replace = false) => program().enroll(code, never, { replace });
const inState = (name: string) => join(kit.settings.stateDirectory, name);
const identity = () => JSON.parse(readFileSync(inState("identity.json"), "utf8"));
const lockstep = (
  words: readonly string[],
  options: { readonly stdin?: string; readonly answers?: readonly Answer[] },
) => runCli(["agent", "enroll", ...words], { ...options, agent: async () => program() });

it("one that was broken off is no identity, says so, and the same code goes on with the same keys", async () => {
  kit.server.misbehave("confirm", { kind: "cut" });
  await expect(enroll()).rejects.toMatchObject({ code: "SERVER_UNREACHABLE" });
  expect([existsSync(inState("enrolling.json")), existsSync(inState("identity.json"))]).toEqual([
    true,
    false,
  ]);
  await expect(program().run(never)).rejects.toMatchObject({
    code: "AGENT_NOT_ENROLLED",
    message: expect.stringContaining("begun and not finished"),
  });
  const key = kit.server.encryptKey();
  kit.server.behave();
  await enroll();
  expect(identity().encryptKey.x).toBe(key.x);
  expect(existsSync(inState("enrolling.json"))).toBe(false);
});

it("one that the server ended meanwhile makes no identity, and leaves the one that was there", async () => {
  await enroll();
  const before = identity();
  for (const code of ["ENROLMENT_INVALID", "ENROLMENT_CONTESTED", "AGENT_REVOKED"] as const) {
    other.server.misbehave("confirm", { kind: "status", status: 401, body: { code } });
    await expect(enroll(other.server.code(), true)).rejects.toMatchObject({ code });
    expect(identity()).toEqual(before);
  }
  other.server.behave();
  await enroll(other.server.code(), true);
  expect(identity().url).toBe(other.server.url);
});

it("ruling 12: a second one over an identity takes a word, before anything is sent", async () => {
  const { keyFingerprint, target } = await enroll();
  expect(keyFingerprint).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect((await program().status(never)).keyFingerprint).toBe(keyFingerprint);
  await expect(enroll(other.server.code())).rejects.toMatchObject({
    code: "AGENT_ENROLLED",
    message: expect.stringContaining(target),
    hint: expect.stringContaining("--replace"),
  });
  expect(other.server.requests).toEqual([]);
  await enroll(other.server.code(), true);
  expect(identity().url).toBe(other.server.url);
});

it("an identity that the server has ended is nothing to ask about", async () => {
  await enroll();
  kit.server.misbehave("bundle", { kind: "status", status: 401, body: { code: "AGENT_REVOKED" } });
  const end = new AbortController();
  const running = program().run(end.signal);
  await reach("the agent to know", () => kit.said.join("").includes("AGENT_REVOKED"), kit.said);
  end.abort();
  await running;
  await enroll(other.server.code());
  expect(identity().url).toBe(other.server.url);
});

it("the command line asks a person, and takes --replace from a script", async () => {
  await enroll();
  const [code, question] = [other.server.code(), "Give that up?"];
  const piped = await lockstep([], { stdin: code });
  expect([piped.exitCode, piped.stderr]).toEqual([1, expect.stringContaining("AGENT_ENROLLED")]);
  const declined = await lockstep([], {
    answers: [
      ["Code", code],
      [question, "n"],
    ],
  });
  expect([declined.exitCode, declined.stderr]).toEqual([1, expect.stringContaining("AGENT_ENROLLED")]);
  expect(other.server.requests).toEqual([]);
  const agreed = await lockstep([], {
    answers: [
      ["Code", code],
      [question, "y"],
    ],
  });
  expect([agreed.exitCode, agreed.stderr]).toEqual([0, expect.not.stringContaining(code)]);
  expect(identity().url).toBe(other.server.url);
  const scripted = await lockstep(["--replace", "--json"], { stdin: kit.server.code() });
  expect([scripted.exitCode, scripted.stderr]).toEqual([1, expect.stringContaining("ENROLMENT_INVALID")]);
});
