/** doctor and heal against a real server and scripted places: exit codes, the JSON contract, commands that repair. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { DoctorAnswer } from "../../src/protocol/api-doctor.ts";
import type { RunOptions } from "../support/cli-kit.ts";
import { useCliServer } from "../support/cli-server.ts";
import { type ConfigKit, createConfigKit } from "../support/config-kit.ts";
import { useDatabase } from "../support/database.ts";
import { answerOf } from "../support/http-kit.ts";

const CANARY = "canary-31b0-value";
const getDatabase = useDatabase();
let kit: ConfigKit;
const server = useCliServer(() => {
  kit = createConfigKit(getDatabase(), "railway");
  return kit.context;
});
const { directory, env } = server;

beforeEach(async () => {
  await kit.loop.reset();
  kit.away.clear();
  for (const name of ["api", "vps"]) {
    const place = kit.place(name);
    place.values.clear();
    place.nextActivations.length = 0;
    place.nextWrites.length = 0;
  }
});

const said: string[] = [];
async function cli(line: string, options: RunOptions = {}) {
  const ran = await server.cli(line, options);
  said.push(ran.stdout, ran.stderr);
  return ran;
}

const configPath = () => join(directory, "lockstep.yaml");

/** One secret: verified by api, sent by vps. */
async function apply(): Promise<void> {
  const config = kit.config({
    secrets: {
      AUTH: [
        { target: "api", role: "verifier" },
        { target: "vps", role: "caller" },
      ],
    },
    targets: { api: {}, vps: {} },
  });
  await writeFile(configPath(), JSON.stringify(config));
  expect((await cli(`apply --yes -f ${configPath()}`)).exitCode).toBe(0);
}

async function inSync(): Promise<void> {
  await apply();
  await cli("secret set AUTH", { stdin: CANARY });
  await kit.loop.drain(kit.context);
}

async function doctor(flags = ""): Promise<{ readonly exitCode: number; readonly answer: DoctorAnswer }> {
  const ran = await cli(`doctor --json${flags}`);
  return { exitCode: ran.exitCode, answer: answerOf("doctor", ran.json()) };
}

/** As printed, by the shell's own rules for what is printed here: plain words and `&&`. */
async function paste(command: string | null): Promise<void> {
  for (const line of (command ?? "").split(" && ")) {
    const [program, ...words] = line.split(" ");
    expect(program).toBe("lockstep");
    await cli([...words, ...(words[0] === "heal" ? ["--no-wait"] : [])].join(" "));
  }
  await kit.loop.hurry();
  await kit.loop.drain(kit.context);
}

describe("doctor", () => {
  test("with nothing wrong says so, and what it looked at, and exits with 0", async () => {
    await inSync();
    const { exitCode, answer } = await doctor();
    expect(exitCode).toBe(0);
    expect(answer).toMatchObject({ ok: true, findings: [], live: true });
    expect(answer.secrets[0]?.bindings.map(({ state }) => state)).toEqual(["in-sync", "in-sync"]);
    const { stdout } = await cli("doctor");
    expect(stdout.split("\n")[0]).toBe(
      "Nothing is wrong: 2 keys of 1 secret, each of 2 places was checked just now.",
    );
  });

  test("finds by itself what somebody changed by hand, and the printed command repairs it", async () => {
    await inSync();
    kit.place("api").values.set("AUTH", "by hand");
    const { exitCode, answer } = await doctor();
    expect(exitCode).toBe(3);
    expect(answer.ok).toBe(false);
    expect(answer.findings).toMatchObject([
      {
        id: "hand-edit",
        severity: "wrong",
        secret: "AUTH",
        target: "api",
        key: "AUTH",
        consequence: [
          "Calls from vps to api are refused (401 or 403): vps sends v1, api accepts a value that Lockstep does not know.",
        ],
        command: "lockstep heal --target api --secret AUTH",
      },
    ]);
    const shown = (await cli("doctor")).stdout;
    expect(shown).toMatch(/^1 thing is wrong: AUTH at api was changed by hand\.\n/);
    expect(shown).toMatch(/^! +AUTH +api/m);
    expect(shown).toContain("  repair   lockstep heal --target api --secret AUTH\n");

    await paste(answer.findings[0]?.command ?? null);
    expect(kit.place("api").values.get("AUTH")).toBe(CANARY);
    expect(kit.place("api").running.get("AUTH")).toBe(CANARY);
    expect((await doctor()).exitCode).toBe(0);
    const audit = await cli("audit list --subject api --json");
    expect(audit.stdout).toContain('"target.healed"');
  });

  test("with --no-live asks no place, and so knows nothing newer than what is recorded", async () => {
    await inSync();
    const { observes } = kit.place("api");
    kit.place("api").values.set("AUTH", "by hand");
    expect((await doctor(" --no-live")).answer).toMatchObject({ ok: true, live: false });
    expect(kit.place("api").observes).toBe(observes);
  });

  test("says of a place that does not answer that it cannot tell, never that it is fine", async () => {
    await inSync();
    kit.away.add("vps");
    const { exitCode, answer } = await doctor();
    expect(exitCode).toBe(4);
    expect(answer.findings).toMatchObject([{ id: "unreachable", severity: "cannot-tell", target: "vps" }]);
    expect(answer.secrets[0]?.bindings.find(({ target }) => target === "vps")).toMatchObject({
      state: "unreadable",
      reason: "no answer from the place",
    });
  });

  test("does not wait for a place that hangs", async () => {
    await inSync();
    kit.hanging.add("vps");
    const before = Date.now();
    const { exitCode, answer } = await doctor(" --timeout 1s");
    kit.hanging.clear();
    expect(Date.now() - before).toBeLessThan(2_000);
    expect(exitCode).toBe(4);
    expect(answer.findings[0]).toMatchObject({ id: "unreachable", target: "vps" });
    expect(answer.findings[0]?.cause).toContain("gave no answer within 1 s");
  });

  test("of a unit that did not restart: its command asks again, and that repairs it", async () => {
    await inSync();
    kit.place("api").nextActivations.push("fail", "fail");
    await cli("secret set AUTH", { stdin: "second" });
    await kit.loop.drain(kit.context);
    const { answer } = await doctor();
    expect(answer.findings).toMatchObject([
      { id: "unit-blocked", target: "api", command: expect.stringMatching(/^lockstep rollout resume /) },
    ]);
    expect(answer.findings[0]?.consequence).toEqual([
      "Calls from vps to api are refused (401 or 403): vps sends v2, api accepts the value from before v2.",
    ]);
    await paste(answer.findings[0]?.command ?? null);
    expect((await doctor()).exitCode).toBe(0);
  });

  test("of a value that Lockstep does not know: heal refuses it, and the printed take-over repairs it", async () => {
    await apply();
    await cli("secret set AUTH", { stdin: CANARY });
    kit.place("api").values.set("AUTH", "foreign");
    await kit.loop.drain(kit.context);
    const { exitCode, answer } = await doctor();
    expect(exitCode).toBe(3);
    const [finding] = answer.findings;
    expect(finding).toMatchObject({ id: "foreign", command: "lockstep apply --take-over AUTH@api" });
    expect((await cli("heal --target api --no-wait")).exitCode).toBe(1);
    expect(kit.place("api").values.get("AUTH")).toBe("foreign");
    await cli(`apply --take-over AUTH@api -f ${configPath()}`, { types: "y\n" });
    await kit.loop.drain(kit.context);
    expect((await doctor()).exitCode).toBe(0);
  });

  test("before anything was adopted names the groups, who is refused, and the choice", async () => {
    await apply();
    kit.place("api").values.set("AUTH", "one");
    kit.place("vps").values.set("AUTH", "two");
    const { exitCode, answer } = await doctor();
    expect(exitCode).toBe(3);
    expect(answer.findings).toMatchObject([
      {
        id: "not-adopted",
        secret: "AUTH",
        target: null,
        consequence: [
          "Calls from vps to api are refused (401 or 403): vps sends value B, api accepts value A.",
        ],
        command: "lockstep import AUTH --from api",
      },
    ]);
    await paste(answer.findings[0]?.command ?? null);
    expect((await doctor()).exitCode).toBe(0);
  });

  test("of Lockstep itself being away says so, and that nobody is refused because of it", async () => {
    const ran = await cli("doctor --json", { env: { LOCKSTEP_URL: "http://127.0.0.1:9" } });
    expect(ran.exitCode).toBe(4);
    expect(ran.json()).toMatchObject({
      ok: false,
      findings: [{ id: "server-away", command: "lockstep up" }],
    });
  });

  test("of an environment that does not exist is an error, not a clean bill", async () => {
    expect((await cli("doctor --environment nowhere")).exitCode).toBe(1);
  });
});

describe("heal", () => {
  test("is an operator's to do, and waits until the value is in use", async () => {
    await inSync();
    kit.place("api").values.delete("AUTH");
    await cli("check");
    env.LOCKSTEP_TOKEN = await server.http.token("operator");
    const healing = cli("heal");
    await expect
      .poll(async () => kit.loop.drain(kit.context).then(() => kit.place("api").values.get("AUTH")))
      .toBe(CANARY);
    const ran = await healing;
    expect(ran).toMatchObject({ exitCode: 0 });
    expect(ran.stdout).toMatch(/AUTH +api .*in-sync/);
    env.LOCKSTEP_TOKEN = await server.http.token("viewer");
    expect((await cli("heal --target api")).exitCode).toBe(1);
  });

  test("with nothing known to differ does nothing", async () => {
    await inSync();
    const { writes } = kit.place("api");
    const before = writes.length;
    expect((await cli("heal")).stdout).toContain("nothing was done");
    await kit.loop.drain(kit.context);
    expect(writes).toHaveLength(before);
  });
});

test("Law 8: no value in anything that doctor or heal said", () => {
  expect(said.length).toBeGreaterThan(20);
  expect(said.filter((text) => text.includes("canary-31b0"))).toEqual([]);
});
