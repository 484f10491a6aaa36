/** The commands against a real server: exit codes, JSON contracts, and that values stay where they belong. */

import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { LockstepError } from "../../src/core/errors.ts";
import { PROGRESS, runCli } from "../support/cli-kit.ts";
import { useCliServer } from "../support/cli-server.ts";
import { type ConfigKit, createConfigKit } from "../support/config-kit.ts";
import { useDatabase } from "../support/database.ts";

const getDatabase = useDatabase();
let kit: ConfigKit;
const { cli, directory, env } = useCliServer(() => {
  kit = createConfigKit(getDatabase(), "railway");
  return kit.context;
});

beforeEach(async () => {
  await kit.loop.reset();
  for (const place of [kit.place("api"), kit.place("web")]) {
    place.values.clear();
    place.order = null;
  }
});

/** lockstep.yaml with one secret at two places of this run. */
async function configFile(name = "lockstep.yaml"): Promise<string> {
  const config = kit.config({
    secrets: {
      API_KEY: [
        { target: "api", role: "verifier" },
        { target: "web", role: "caller" },
      ],
    },
    targets: { api: {}, web: {} },
  });
  const file = join(directory, name);
  await writeFile(file, JSON.stringify(config));
  return file;
}

async function applied(): Promise<void> {
  const ran = await cli(`apply --yes -f ${await configFile()}`);
  expect(ran.exitCode).toBe(0);
}

describe("plan and apply", () => {
  test("plan exits with 2 while there are changes, and with 0 after they were applied", async () => {
    const file = await configFile();
    const before = await cli(`plan -f ${file}`);
    expect(before.exitCode).toBe(2);
    expect(before.stderr.replaceAll(PROGRESS, "")).toBe("");
    expect(before.stdout).toContain("+ create secret production/API_KEY");

    expect((await cli(`apply --yes -f ${file}`)).exitCode).toBe(0);
    const after = await cli(`plan --json -f ${file}`);
    expect(after.exitCode).toBe(0);
    expect(after.json()).toMatchObject({ hasChanges: false });
  });

  test("apply refuses without a terminal and without --yes", async () => {
    const ran = await cli(`apply -f ${await configFile()}`);
    expect(ran.exitCode).toBe(64);
    expect(ran.stderr).toContain("--yes");
    expect((await cli("secret list --json")).json()).toEqual({ secrets: [] });
  });

  test("apply asks a person, and an empty answer is no", async () => {
    const file = await configFile();
    const no = await cli(`apply -f ${file}`, { types: "\n" });
    expect(no.exitCode).toBe(1);
    expect(no.stderr).toContain("Nothing was applied.");
    expect((await cli(`apply -f ${file}`, { types: "y\n" })).exitCode).toBe(0);
  });

  test("a faulty configuration is told with its line, and changes nothing", async () => {
    const file = join(directory, "faulty.yaml");
    await writeFile(
      file,
      "environment: production\nsecrets:\n  API_KEY:\n    bindings: [{ target: nowhere, role: caller }]\n",
    );
    const ran = await cli(`plan -f ${file}`);
    expect(ran.exitCode).toBe(64);
    expect(ran.stderr).toMatch(/error CONFIG_INVALID[\s\S]*faulty\.yaml:4:\d+/);
  });
});

describe("values", () => {
  test("come from stdin without the final line break, and go to stdout on demand alone", async () => {
    const set = await cli("secret set API_KEY", { stdin: "canary-value\n" });
    expect(set.exitCode).toBe(0);
    expect(set.stderr).toContain("one final line break was dropped");
    expect(set.stdout + set.stderr).not.toContain("canary");
    expect((await cli("secret reveal API_KEY")).stdout).toBe("canary-value");
  });

  test("keep every byte with --exact, and may come from a file", async () => {
    const file = join(directory, "value");
    await writeFile(file, "line one\nline two\n");
    await cli(`secret set API_KEY --exact --value-file ${file}`);
    const revealed = await cli("secret reveal API_KEY --json");
    expect(revealed.json()).toMatchObject({
      name: "API_KEY",
      version: 1,
      fields: { value: "line one\nline two\n" },
    });
  });

  test("in PEM form keep their final line break, which belongs to the form, and say so", async () => {
    const { privateKey } = generateKeyPairSync("ed25519");
    const pem = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
    for (const text of [pem, pem.replaceAll("\n", "\r\n"), `${pem}${pem}\n`]) {
      const set = await cli("secret set API_KEY", { stdin: text });
      expect(set.stderr).toContain("the final line break was kept");
      const revealed = (await cli("secret reveal API_KEY")).stdout;
      expect(revealed).toBe(text);
      expect(createPrivateKey(revealed).equals(privateKey)).toBe(true);
    }
  });

  test("typed at a prompt are not shown", async () => {
    const ran = await cli("secret set API_KEY", { types: "canary\rcanary\r" });
    expect(ran.exitCode).toBe(0);
    expect(ran.stdout + ran.stderr).not.toContain("canary");
    expect((await cli("secret reveal API_KEY")).stdout).toBe("canary");
  });

  test("typed differently the second time are refused", async () => {
    const ran = await cli("secret set API_KEY", { types: "one\rtwo\r" });
    expect(ran.exitCode).toBe(64);
    expect((await cli("secret list --json")).json()).toEqual({ secrets: [] });
  });

  test.each([
    ["", "empty"],
    ["\n", "empty"],
  ])("that are %j are refused", async (stdin, words) => {
    const ran = await cli("secret set API_KEY", { stdin });
    expect(ran.exitCode).toBe(64);
    expect(ran.stderr).toContain(words);
  });
});

describe("status", () => {
  test("--json has exactly the promised shape", async () => {
    await applied();
    await cli("secret set API_KEY", { stdin: "one" });
    await kit.loop.drain(kit.context);
    const ran = await cli("status --json");
    expect(ran.exitCode).toBe(0);
    const { secrets } = ran.json() as { secrets: { bindings: object[] }[] };
    expect(secrets).toMatchObject([{ name: "API_KEY", environment: "production", current: 1 }]);
    expect(secrets[0]?.bindings).toMatchObject([
      { target: "api", key: "API_KEY", role: "verifier", version: 1, observedAt: expect.any(String) },
      { target: "web", key: "API_KEY", role: "caller", version: 1, observedAt: expect.any(String) },
    ]);
    for (const binding of secrets[0]?.bindings ?? []) {
      expect(Object.keys(binding)).toEqual(
        expect.arrayContaining(["target", "key", "role", "version", "state", "evidence", "observedAt"]),
      );
    }
  });

  test("says in its last line what is not in sync", async () => {
    await applied();
    await cli("secret set API_KEY", { stdin: "one" });
    const ran = await cli("status");
    expect(ran.stdout).toMatch(
      /2 of 2 bindings are on their way: API_KEY at api is owed, API_KEY at web is owed\.\n$/,
    );
  });

  test("has no colours in a file and some on a terminal", async () => {
    await applied();
    expect((await cli("status")).stdout).not.toContain("\u001b[");
    expect((await cli("status", { types: "" })).stdout).toContain("\u001b[");
    expect((await cli("status", { types: "", env: { NO_COLOR: "1" } })).stdout).not.toContain("\u001b[");
  });
});

test("status tells apart what is on its way and what waits for a person", async () => {
  await applied();
  kit.place("web").nextWrites.push({ kind: "refused", error: new LockstepError("TARGET_REFUSED", "no") });
  await cli("secret set API_KEY", { stdin: "one" });
  await kit.loop.drain(kit.context);
  const ran = await cli("status");
  expect(ran.stdout).toContain("1 of 2 bindings needs a person: API_KEY at web is stuck.");
  expect((await cli("status --json")).json()).toMatchObject({
    secrets: [{ bindings: [{ target: "api" }, { target: "web", state: "owed", stuck: true }] }],
  });
});

describe("check", () => {
  test("exits with 0 in sync, 3 when something differs, 4 when it cannot tell", async () => {
    await applied();
    await cli("secret set API_KEY", { stdin: "one" });
    await kit.loop.drain(kit.context);
    expect((await cli("check")).exitCode).toBe(0);

    kit.place("web").values.set("API_KEY", "somebody else's");
    const drifted = await cli("check");
    expect(drifted.exitCode).toBe(3);
    expect(drifted.stdout).toContain("foreign");
    expect(drifted.stdout).not.toContain("somebody else");

    kit.away.add("api");
    expect((await cli("check --target api")).exitCode).toBe(4);
    expect((await cli("check")).exitCode).toBe(3);
    kit.away.clear();
  });
});

test("target test looks at all targets, and exits with 1 when one cannot be used", async () => {
  await applied();
  const all = await cli("target test");
  expect(all).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("All 2 can be used.") });
  expect(all.stderr).toContain("Tested 2 of 2");
  const json = await cli("target test api web --json");
  expect(json.json()).toMatchObject({ targets: [{ target: "api", ok: true }, { target: "web" }] });
  expect(json.stderr.replaceAll(PROGRESS, "")).toBe("");
});

test("apply --wait stays until the targets are settled", async () => {
  await cli("secret set API_KEY", { stdin: "one" });
  const file = await configFile();
  const applying = cli(`apply --yes --wait -f ${file}`);
  let ended = false;
  applying.finally(() => {
    ended = true;
  });
  while (!ended) {
    await kit.loop.hurry();
    await kit.loop.drain(kit.context);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const ran = await applying;
  expect(ran).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining("Every target holds what it should."),
  });
  expect(kit.place("web").values.get("API_KEY")).toBe("one");
  const late = await cli(`apply --yes --wait --timeout 1s --json -f ${file}`);
  expect(late.json()).toMatchObject({
    plan: { hasChanges: false },
    targets: [{ state: "settled" }, { state: "settled" }],
  });
});

test("history --json and audit list tell the push, and hold no value", async () => {
  await applied();
  await cli("secret set API_KEY", { stdin: "canary-value" });
  await kit.loop.drain(kit.context);
  const history = await cli("history --json --target web --limit 1");
  expect(history.json()).toMatchObject({
    pushes: [
      {
        target: "web",
        outcome: "succeeded",
        error: null,
        items: [{ secret: "API_KEY", action: "set", version: 1 }],
      },
    ],
  });
  const audit = await cli("audit list");
  expect(audit.stdout).toContain("config.applied");
  const first = await cli("audit list --limit 1 --json");
  const goOn =
    /There is more: lockstep (audit list --limit 1 --json --after \S+)/.exec(first.stderr)?.[1] ?? "";
  const second = await cli(goOn);
  const both = await cli("audit list --limit 2 --json");
  expect(both.json()).toMatchObject({ entries: [{}, (second.json() as { entries: unknown[] }).entries[0]] });
  expect((await cli("audit list --after nonsense")).exitCode).toBe(64);
  expect(history.stdout + audit.stdout).not.toContain("canary");
});

test("a secret's old version is destroyed only when that is meant", async () => {
  await cli("secret set API_KEY", { stdin: "one" });
  await cli("secret set API_KEY", { stdin: "two" });
  expect((await cli("secret destroy API_KEY --secret-version 1")).exitCode).toBe(64);
  expect((await cli("secret destroy API_KEY --secret-version 2 --yes")).stderr).toContain(
    "error VERSION_IN_USE",
  );
  expect((await cli("secret destroy API_KEY --secret-version 1 --yes")).exitCode).toBe(0);
  expect((await cli("secret versions API_KEY")).stdout).toContain("destroyed");
});

test("a token is printed alone on stdout, and works until it is revoked", async () => {
  const made = (await cli("token create ci --scope viewer --expires 1h")).stdout.trim();
  const asCi = { ...env, LOCKSTEP_TOKEN: made };
  expect((await runCli(["status"], { env: asCi })).exitCode).toBe(0);
  expect((await runCli(["token", "list"], { env: asCi })).stderr).toContain("error FORBIDDEN");
  await cli(`token revoke ${made.split("_")[1]}`);
  expect((await runCli(["status"], { env: asCi })).stderr).toContain("error UNAUTHENTICATED");
});

test("names that exist in several environments are not guessed", async () => {
  await cli("secret set API_KEY -e staging", { stdin: "one" });
  await cli("secret set API_KEY -e production", { stdin: "two" });
  const ran = await cli("secret reveal API_KEY");
  expect(ran).toMatchObject({ exitCode: 64, stdout: "" });
  expect(ran.stderr).toContain("--environment");
});
