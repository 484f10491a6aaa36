/**
 * Whatever command a text prints, a person runs it; by then Lockstep may be doing that very thing. Then the command joins it,
 * shows it and ends as it does. All that the source prints are collected, and none is left out unnoticed.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { beforeEach, describe, expect, it } from "vitest";
import { manualKind } from "../../src/adapters/targets/manual/target.ts";
import type { AppContext } from "../../src/app/base/context.ts";
import { renewSecret } from "../../src/app/renewals/renew-secret.ts";
import { SYSTEM } from "../../src/core/actor.ts";
import { LockstepError } from "../../src/core/errors.ts";
import { buildProgram } from "../../src/edges/cli/syntax/program.ts";
import { mapLimited } from "../../src/lib/map-limited.ts";
import type { Ran, RunOptions } from "../support/cli-kit.ts";
import { useCliServer } from "../support/cli-server.ts";
import { type ConfigKit, createConfigKit } from "../support/config-kit.ts";
import { useDatabase } from "../support/database.ts";
import { ScriptedProvider, scriptedIssuer } from "../support/scripted-issuer.ts";

/** By command. A line is run twice at once, while the secret moves; a reason is why there is nothing that it could join. */
const PRINTED: Readonly<Record<string, string | { readonly notHere: string }>> = {
  "agent enroll": { notHere: "on the agent's machine" },
  "agent install": { notHere: "on the agent's machine" },
  "agent invite": { notHere: "makes a code each time; an older one ends with it" },
  "agent list": "agent list",
  "agent policy": { notHere: "on the agent's machine" },
  "agent revoke": { notHere: "at once, and once" },
  "agent run": { notHere: "on the agent's machine; a second one of the same identity is refused" },
  "agent setup": { notHere: "on the agent's machine" },
  "agent status": { notHere: "on the agent's machine" },
  "agent uninstall": { notHere: "on the agent's machine" },
  "agent upgrade": { notHere: "on the agent's machine; a second one is refused" },
  "alert channels": "alert channels",
  "alert list": "alert list",
  "alert silence": { notHere: "at once" },
  "alert test": { notHere: "sends a message each time" },
  apply: "apply --yes -f FILE",
  "audit list": "audit list",
  check: "check",
  completion: { notHere: "asks no server" },
  demo: { notHere: "a server of its own" },
  discover: { notHere: "reads; no scripted place reaches beyond what it manages" },
  doctor: "doctor",
  epoch: "epoch",
  "epoch begin": { notHere: "only of a store that was set back, which moves nothing" },
  heal: "heal --target api",
  history: "history",
  import: "import API_KEY --from api",
  init: { notHere: "writes a file here" },
  jwks: { notHere: "of secrets that sign; it reads" },
  migrate: { notHere: "the schema; a second one waits for the first" },
  plan: "plan -f FILE",
  renew: "renew TOKEN",
  renewals: "renewals",
  rewrap: { notHere: "by two at once too: the store's tests say so" },
  "rollout force": "rollout force ROLLOUT --target api --reason late",
  "rollout list": "rollout list",
  "rollout resume": "rollout resume ROLLOUT",
  "rollout rollback": "rollout rollback ROLLOUT",
  "rollout show": "rollout show ROLLOUT",
  "root-key check": { notHere: "reads a file here" },
  "root-key copy": { notHere: "writes a file here" },
  rotate: "rotate API_KEY --wait",
  run: { notHere: "a program on a managed host" },
  "secret compromised": { notHere: "a mark, at once" },
  "secret destroy": { notHere: "at once; refused while anything needs the version" },
  "secret generate": { notHere: "another value each time, as `secret set` of another one" },
  "secret list": "secret list",
  "secret reveal": "secret reveal API_KEY",
  "secret set": "secret set API_KEY",
  "secret versions": "secret versions API_KEY",
  server: { notHere: "a server; any number on one store" },
  status: "status",
  "step confirm": "step confirm partner --yes",
  "step list": "step list",
  "step reveal": { notHere: "shows each value once" },
  "step show": "step show partner",
  "store status": "store status",
  "store move-values": { notHere: "by two at once too: the value stores' tests say so" },
  "target list": "target list",
  "target test": "target test api",
  "target trust": { notHere: "asks a person about a host's key" },
  "token create": { notHere: "another token each time" },
  "token list": "token list",
  "token revoke": { notHere: "at once" },
  up: { notHere: "a server; a second one on the same data is refused, and says which" },
  worker: { notHere: "a worker" },
};

/** What changes something, or waits for its end. The others only read. */
const MOVES: readonly string[] = [
  "apply",
  "check",
  "heal",
  "import",
  "renew",
  "rollout force",
  "rollout resume",
  "rollout rollback",
  "rotate",
  "secret set",
  "step confirm",
  "target test",
];

const ROOT = join(import.meta.dirname, "../../src");

function leaves(command: Command, path: readonly string[] = []): readonly string[] {
  const own = path.length === 0 ? [] : [path.join(" ")];
  return [...own, ...command.commands.flatMap((child) => leaves(child, [...path, child.name()]))];
}

/** Every command that a text of the source names, as far as it is one. */
function printedCommands(): readonly string[] {
  const known = new Set(leaves(buildProgram(() => undefined)));
  const files = readdirSync(ROOT, { recursive: true, encoding: "utf8" }).filter(
    (name) => name.endsWith(".ts") && !/^(?:demo|simulator)\//.test(name),
  );
  const found = files.flatMap((name) => {
    const text = readFileSync(join(ROOT, name), "utf8")
      .replaceAll(/\/\*[\s\S]*?\*\//g, "")
      .replaceAll(/^\s*\/\/.*$/gm, "");
    const quoted = text.replaceAll(/"lockstep",\s*"([a-z-]+)"(?:,\s*"([a-z-]+)")?/g, " lockstep $1 $2");
    return [...quoted.matchAll(/\blockstep ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?/g)].map(([, one = "", two]) =>
      two !== undefined && known.has(`${one} ${two}`) ? `${one} ${two}` : one,
    );
  });
  const groups = new Set(
    [...known].filter((name) => [...known].some((other) => other.startsWith(`${name} `))),
  );
  return [...new Set(found)]
    .filter((name) => known.has(name) && (!groups.has(name) || name === "epoch"))
    .sort();
}

it("every command that a text prints is run below, or it is said why not", () => {
  expect(printedCommands()).toEqual(Object.keys(PRINTED).sort());
});

describe("a command of what Lockstep is doing already", () => {
  const database = useDatabase();
  const provider = new ScriptedProvider();
  let kit: ConfigKit;
  let context: AppContext;
  let rollout: string;
  const server = useCliServer(() => {
    kit = createConfigKit(database(), "railway");
    context = {
      ...kit.context,
      issuers: new Map([["http", scriptedIssuer(provider)]]),
      targetKinds: new Map([...kit.context.targetKinds, ["manual", manualKind]]),
    };
    return context;
  });
  const file = join(server.directory, "lockstep.yaml");

  beforeEach(async () => {
    await kit.loop.reset();
    rollout = "";
    for (const name of ["api", "web"]) {
      const place = kit.place(name);
      place.values.clear();
      place.order = null;
      place.beforeWrite = async () => {};
      place.beforeLook = async () => {};
    }
    Object.assign(provider, { during: async () => {}, failure: null });
    const config = kit.config({
      secrets: {
        API_KEY: [
          { target: "api", role: "verifier" },
          { target: "web", role: "caller" },
        ],
      },
      targets: { api: {}, web: {} },
    });
    writeFileSync(file, JSON.stringify(config));
    await cli("apply --yes -f FILE");
    await cli("secret set API_KEY", { stdin: "canary-1" });
    await rest();
    // Begun, and no worker has taken it up: everything below finds it under way.
    ({ rollout } = (await cli("rotate API_KEY --json")).json() as { rollout: string });
  });

  const cli = (line: string, options: RunOptions = {}) =>
    server.cli(line.replace("FILE", file).replace("ROLLOUT", rollout), options);
  const rest = async (): Promise<void> => {
    await kit.loop.hurry();
    await kit.loop.drain(context);
  };
  /** Workers work until all of these have ended. */
  async function whileWorking(...commands: readonly Promise<Ran>[]): Promise<readonly Ran[]> {
    let ended = false;
    const all = Promise.all(commands).finally(() => {
      ended = true;
    });
    all.catch(() => undefined);
    while (!ended) {
      await rest();
      await new Promise((resolve) => setImmediate(resolve));
    }
    return all;
  }
  const issuedToken = async (): Promise<string> => {
    const id = await kit.loop.secret("TOKEN");
    await context.store.transaction((tx) => tx.secrets.setPolicy(id, { issue: { http: {} } }));
    return id;
  };
  const partner = async (): Promise<void> => {
    await kit.loop.target("partner");
    const { config } = manualKind.parse({ manual: { instructions: "Console, page Keys." } });
    await kit.loop.rows(
      `update target set kind = 'manual', config = '${JSON.stringify(config)}' where name = 'partner'`,
    );
    await kit.loop.secret("PARTNER_KEY");
    await kit.loop.bind("PARTNER_KEY", "partner", { role: "caller" });
    await kit.loop.set("PARTNER_KEY", "canary-partner", context);
    await rest();
  };

  const lineOf = (name: string): string => {
    const line = PRINTED[name];
    return typeof line === "string" ? line : "";
  };
  const assertEnded = (name: string, { exitCode, stderr, stdout }: Ran): void =>
    expect(exitCode, `${name}: ${stderr}${stdout}`).toBe(0);

  it("that reads ends well while the secret moves", async () => {
    const reads = Object.keys(PRINTED).filter(
      (name) => lineOf(name) !== "" && !MOVES.includes(name) && !name.startsWith("step"),
    );
    await mapLimited(reads, 3, async (name) => assertEnded(name, await cli(lineOf(name))));
    expect((await cli("rollout show ROLLOUT --json")).json()).toMatchObject({ state: "running" });
  }, 60_000);

  it.each(MOVES)(
    "%s",
    async (name) => {
      if (name === "renew") await issuedToken();
      if (name === "step confirm") await partner();
      const stdin = name === "secret set" ? { stdin: "canary-2" } : {};
      // Twice at once, while the secret moves; and once more when that has ended.
      const both = await whileWorking(cli(lineOf(name), stdin), cli(lineOf(name), stdin));
      for (const one of both) assertEnded(name, one);
      for (const one of await whileWorking(cli(lineOf(name), stdin))) assertEnded(name, one);
      if (name !== "step confirm") return;
      for (const shown of ["step list", "step show"]) assertEnded(shown, await cli(lineOf(shown)));
    },
    60_000,
  );

  it("rotate names the rollout that it joins, and makes no further value", async () => {
    const [joined] = await whileWorking(cli("rotate API_KEY --wait --json"));
    expect(joined?.json()).toMatchObject({ rollout, joined: rollout, to: 2, state: "done" });
    expect(joined?.stderr).toContain("API_KEY is already being rotated (v1 → v2)");
    expect((await cli("secret versions API_KEY --json")).stdout).not.toContain('"version":3');
  });

  it("rotate in another way than the one under way is refused, and names it and the command that follows it", async () => {
    await kit.loop.rows(`update binding set options = options || '{"acceptsFallback": "attested"}'`);
    const ran = await cli("rotate API_KEY --strategy overlap");
    expect(ran.exitCode).toBe(1);
    expect(ran.stderr).toContain("error ROLLOUT_OPEN");
    expect(ran.stderr).toContain(`rollout ${rollout} is rotating it with "replace"`);
    expect(ran.stderr).toContain(`lockstep rollout show ${rollout}`);
  });

  it("rotate of a value that somebody else knows joins nothing", async () => {
    await kit.loop.rows("update secret_version set compromised_at = now() where version = 2");
    const [again] = await whileWorking(cli("rotate API_KEY --json"));
    expect(again?.json()).toMatchObject({ to: 3 });
    expect(again?.json()).not.toHaveProperty("joined");
  });

  it("renew follows the request under way, and ends with what became of it", async () => {
    const id = await issuedToken();
    const never = new AbortController().signal;
    for (const failure of [null, new LockstepError("ISSUER_REFUSED", "Cannot get a token: it said no.")]) {
      const asked = new Promise<() => void>((reached) => {
        provider.during = () => new Promise<void>((goOn) => reached(goOn));
      });
      const scheduled = renewSecret(context, SYSTEM, id, "now", never);
      const goOn = await asked;
      const [attempt] = await kit.loop.rows<{ id: string }>(`select attempt as id from renewal`);
      // From here on a request of its own would be seen.
      provider.during = async () => {};
      const made = provider.tokens.length;
      const looks = { count: 0 };
      const { find } = context.store.read.renewals;
      const read = new Promise<void>((resolve) => {
        context.store.read.renewals.find = async (secretId) => {
          looks.count += 1;
          if (looks.count > 2) resolve();
          return await find(secretId);
        };
      });
      const person = cli("renew TOKEN --json");
      await read;
      context.store.read.renewals.find = find;
      provider.failure = failure;
      goOn();
      await scheduled;
      const ran = await person;
      provider.failure = null;
      if (failure === null) {
        expect(ran.exitCode, ran.stderr).toBe(0);
        expect(ran.json()).toMatchObject({ version: 1, joined: attempt?.id });
        expect(provider.tokens).toHaveLength(made + 1);
      } else {
        expect(ran.exitCode).toBe(1);
        expect(ran.stderr + ran.stdout).toContain("ISSUER_REFUSED");
        expect(provider.tokens).toHaveLength(made);
      }
    }
  });

  it("apply goes on when Lockstep itself changed what stands at a place since the plan", async () => {
    const wanted = JSON.parse(readFileSync(file, "utf8"));
    wanted.environments.production.secrets.API_KEY.rotate = { every: "30d" };
    writeFileSync(file, JSON.stringify(wanted));
    const place = kit.place("api");
    let looks = 0;
    place.beforeLook = async () => {
      looks += 1;
      // The first is the plan's, the second the one before it is applied.
      if (looks !== 2) return;
      place.beforeLook = async () => {};
      await rest();
    };
    const ran = await cli("apply --yes -f FILE");
    expect(ran.exitCode, ran.stderr).toBe(0);
    expect(place.values.get("API_KEY")).not.toBe("canary-1");
  });

  it("secret set of the value that is on its way follows that, and says so", async () => {
    const first = (await cli("secret set API_KEY --json", { stdin: "canary-2" })).json() as {
      rollout: string;
    };
    const again = await cli("secret set API_KEY --json", { stdin: "canary-2" });
    expect(again.json()).toMatchObject({ rollout: first.rollout, joined: first.rollout });
    const other = await cli("secret set API_KEY --json", { stdin: "canary-3" });
    expect(other.json()).not.toHaveProperty("joined");
  });

  it("resume of what another rollout took the place of names that one", async () => {
    await cli("secret set API_KEY", { stdin: "canary-by-hand" });
    const ran = await cli("rollout resume ROLLOUT");
    expect(ran.exitCode).toBe(1);
    expect(ran.stderr).toContain("error VERSION_STATE");
    expect(ran.stderr).toMatch(
      /is under way in its place: follow it with `lockstep rollout show [0-9a-f-]{36}`/,
    );
  });
});
