/** What a person who mistypes, or has no server, is told. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCli } from "../support/cli-kit.ts";

let empty: string;
beforeAll(async () => {
  empty = await mkdtemp(join(tmpdir(), "lockstep-cli-"));
});
afterAll(() => rm(empty, { recursive: true }));

describe("usage errors", () => {
  test.each([
    [["nonsense"]],
    [["status", "--nonsense"]],
    [["history", "--limit", "many"]],
    [["secret", "destroy", "API_KEY"]],
    [["rollout", "show"]],
    [["status", "superfluous"]],
    [["secret", "reveal", "API_KEY", "--version", "4"]],
    [["secret", "destroy", "API_KEY", "--version", "4", "--yes"]],
    [["status", "--version"]],
    [["secret", "set", "API_KEY", "--value-file", ""]],
    [["secret", "list", "-e", ""]],
    [["secret", "list", "--environment="]],
    [["secret", "versions", ""]],
    [["target", "list", "-e", "staging", "--environment", "production"]],
    [["rollout", "force", "x", "--target", "a", "--target", "b", "--reason", "r"]],
    [["history", "--limit", "1e2"]],
    [["history", "--limit", "0x10"]],
    [["history", "--limit", "-1"]],
    [["history", "--limit", "4abc"]],
    [["history", "--limit", "NaN"]],
    [["rotate", "API_KEY", "--wait", "--timeout", "1e3s"]],
    [["rotate", "API_KEY", "--wait", "--timeout", "-5m"]],
    [["secret", "reveal", "API_KEY", "--secret-version", "0x2"]],
    [["status", "--no-watch"]],
  ])("of %j exit with 64, an error and a remedy", async (argv) => {
    const ran = await runCli(argv);
    expect(ran).toMatchObject({ exitCode: 64, stdout: "" });
    expect(ran.stderr).toMatch(/^error USAGE: .+\nfix: .+\n$/s);
  });

  test("speak JSON when asked to, on stderr", async () => {
    const ran = await runCli(["nonsense", "--json"]);
    expect(ran).toMatchObject({ exitCode: 64, stdout: "" });
    expect(JSON.parse(ran.stderr)).toMatchObject({ code: "USAGE", hint: expect.any(String) });
  });

  test("no command at all shows what comes next, and is a usage error", async () => {
    const ran = await runCli([], { env: { LOCKSTEP_DATA: empty } });
    expect(ran.exitCode).toBe(64);
    expect(ran.stdout).toContain("-> lockstep up");
    expect(ran.stdout.split("\n").length).toBeLessThan(14);
    const json = await runCli(["--json"], { env: { LOCKSTEP_DATA: empty } });
    expect(json.json()).toEqual({ server: null, next: "lockstep up" });
  });

  test("a group without its command shows its help, and is a usage error", async () => {
    const ran = await runCli(["secret"]);
    expect(ran).toMatchObject({ exitCode: 64, stdout: "" });
    expect(ran.stderr).toMatch(/^Usage: lockstep secret[\s\S]*Examples:/);
  });

  test.each([
    [["statsu"], "Did you mean status? See `lockstep --help`."],
    [["secret", "lst"], "Did you mean list? See `lockstep secret --help`."],
    [["rotate", "API_KEY", "--wiat"], "Did you mean --wait? See `lockstep rotate --help`."],
  ])("of %j say what was meant", async (argv, hint) => {
    expect((await runCli(argv)).stderr).toContain(`fix: ${hint}`);
  });
});

test.each([["--help"], ["status --help"], ["secret set --help"], ["--version"]])(
  "%s is an answer",
  async (line) => {
    const ran = await runCli(line.split(" "));
    expect(ran).toMatchObject({ exitCode: 0, stderr: "" });
    expect(ran.stdout).not.toBe("");
  },
);

describe("the environment", () => {
  test.each([
    [{ LOCKSTEP_URL: "http://lockstep.example.com" }, "unencrypted"],
    [{ LOCKSTEP_URL: "https://user:canary@lockstep.example.com" }, "more than an address"],
    [{ LOCKSTEP_URL: "nowhere" }, "not an address"],
    [{ LOCKSTEP_TOKEN: "canary\r\nx: y" }, "not a token"],
    [{ LOCKSTEP_TOKEN_FILE: "/nonexistent/canary-file" }, "does not exist"],
  ])("%j is refused by name, with the remedy", async (env, words) => {
    const ran = await runCli(["status"], { env: { LOCKSTEP_DATA: empty, ...env } });
    expect(ran.exitCode).toBe(64);
    expect(ran.stderr).toContain(`error SETTING_INVALID: Cannot start: ${Object.keys(env)[0]}`);
    expect(ran.stderr).toContain(words);
    if (!("LOCKSTEP_TOKEN_FILE" in env)) expect(ran.stderr).not.toContain("canary");
  });

  test("without a server says how to start one", async () => {
    const ran = await runCli(["status"], { env: { LOCKSTEP_DATA: empty } });
    expect(ran).toMatchObject({ exitCode: 1, stdout: "" });
    expect(ran.stderr).toContain("error SERVER_UNREACHABLE");
    expect(ran.stderr).toContain("lockstep up");
  });
});
