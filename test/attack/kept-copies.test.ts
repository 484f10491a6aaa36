/**
 * Ruling 33 under attack: whoever reads a host's disk later looks for values that were replaced there. On a real host
 * over SSH, with the loop driven inline; "reads the disk" is a search through everything below its home.
 */
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { closeSshConnections, sshKind } from "../../src/adapters/targets/ssh/target.ts";
import type { AppContext } from "../../src/app/base/context.ts";
import { runDoctor } from "../../src/app/doctor/run-doctor.ts";
import { reconcileTarget } from "../../src/app/jobs/reconcile-target.ts";
import { discardDueCopies } from "../../src/app/push/discard-copies.ts";
import { destroyVersion } from "../../src/app/secrets/destroy-version.ts";
import { markCompromised } from "../../src/app/secrets/mark-compromised.ts";
import { testTarget } from "../../src/app/targets/test-target.ts";
import { credentialsAssociatedData } from "../../src/core/associated-data.ts";
import { useDatabase } from "../support/database.ts";
import { createLoopKit, type LoopKit, TESTER } from "../support/loop-kit.ts";
import { lacks } from "../support/servers.ts";
import { type RunningSshd, startSshd } from "../support/sshd.ts";

const NAME = { environment: "production", name: "TOKEN" };

interface Line {
  readonly port: number;
  /** Whoever dials is turned away at once, until the answered function is called. */
  goDown(): () => void;
  stop(): Promise<void>;
}

async function startLine(to: number): Promise<Line> {
  const open = new Set<Socket>();
  let isDown = false;
  const server = createServer((from) => {
    if (isDown) return from.resetAndDestroy();
    const there = connect(to, "127.0.0.1");
    for (const [socket, other] of [
      [from, there],
      [there, from],
    ] as const) {
      open.add(socket);
      socket.on("error", () => other.destroy());
      socket.on("close", () => open.delete(socket));
      socket.pipe(other);
    }
    return undefined;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = () => {
    for (const socket of open) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    goDown() {
      isDown = true;
      cut();
      return () => {
        isDown = false;
      };
    },
    stop: () =>
      new Promise((resolve) => {
        cut();
        server.close(() => resolve());
      }),
  };
}

describe.skipIf(lacks("sshd"))("what stood on a host before a change", () => {
  const database = useDatabase();
  let sshd: RunningSshd;
  let line: Line;
  let kit: LoopKit;
  let context: AppContext;
  let file: string;
  let before: string;
  let after: string;
  let count = 0;
  const never = new AbortController().signal;

  beforeAll(async () => {
    sshd = await startSshd();
    line = await startLine(sshd.port);
    kit = createLoopKit(database());
    context = kit.other({ targetKinds: new Map([[sshKind.kind, sshKind]]) });
  });
  afterAll(async () => {
    await closeSshConnections();
    await line.stop();
    await sshd.stop();
  });
  beforeEach(async () => {
    await kit.reset();
    await kit.rows("truncate kept_copy");
    count += 1;
    [before, after] = [`value-before-4d5e6f-${count}`, `value-after-7a8b9c-${count}`];
    file = join(sshd.home, `env-${count}`);
    await kit.secret("TOKEN");
  });

  /** A target on the host, with the key TOKEN in a file of its own. `activate`: null where nothing restarts. */
  async function host(activate: object | null, name = "vps-1", login: object = {}): Promise<string> {
    const { config, credentials } = sshKind.parse({
      ssh: { ...sshd.login, ...login },
      files: [{ path: file, format: "dotenv" }],
      ...(activate === null ? {} : { activate }),
    });
    await kit.target(name);
    const [id = ""] = await kit.targetIds(name);
    const destination = sshKind.destination(config);
    const bound = credentialsAssociatedData(id, destination);
    await database().pool.query(
      "update target set kind = 'ssh', config = $2, destination = $3, credentials_sealed = $4 where id = $1",
      [id, config, destination, await context.sealer.seal(JSON.stringify(credentials), bound)],
    );
    const binding = await kit.bind("TOKEN", name);
    await kit.rows(`update binding set placement = '${file}' where id = '${binding}'`);
    await kit.rows(`update ownership set placement = '${file}' where binding_id = '${binding}'`);
    return id;
  }

  async function settle(value: string): Promise<void> {
    await kit.set("TOKEN", value, context);
    await kit.drain(context);
  }

  /** Files below the host's home that hold this text. */
  function onDisk(text: string): readonly string[] {
    const walk = (directory: string): readonly string[] =>
      readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
        const path = join(directory, entry.name);
        if (entry.isDirectory()) return walk(path);
        return entry.isFile() && statSync(path).size < 100_000 && readFileSync(path, "latin1").includes(text)
          ? [path]
          : [];
      });
    return walk(sshd.home);
  }
  const remembered = () => kit.rows("select from kept_copy");
  const kept = () => onDisk(before).filter((path) => path.endsWith(".keep"));

  it("ruling 33: where nothing restarts nothing can be put back, and nothing is kept", async () => {
    await host(null);
    await settle(before);
    await settle(after);
    expect(onDisk(after)).toEqual([file]);
    expect(onDisk(before)).toEqual([]);
    expect(await remembered()).toEqual([]);
  });

  it("ruling 33: a copy lives as long as the restart that may need it", async () => {
    await host({ command: ["/usr/bin/true"] });
    await settle(before);
    await kit.set("TOKEN", after, context);
    await context.store.read.targets.due(1);
    let during: readonly string[] = [];
    const watching = {
      ...context,
      checkpoint: async (point: string) => {
        if (point === "activation-intent") during = kept();
      },
    };
    await kit.drain(watching);
    expect(during).toHaveLength(1);
    expect(onDisk(after)).toEqual([file]);
    expect(onDisk(before)).toEqual([]);
    expect(await remembered()).toEqual([]);
  });

  it("ruling 33: of a change that was blocked, and could not be put back, nothing stays", async () => {
    const flag = join(sshd.home, `starts-${count}`);
    writeFileSync(flag, "");
    await host({ command: ["/usr/bin/test", "-e", flag] });
    const elsewhere = join(sshd.home, `other-${count}`);
    await settle(before);
    rmSync(flag);
    // Another place has the secret too: the older value must not come back alone.
    file = elsewhere;
    await host(null, "vps-2");
    await settle(after);
    await kit.hurry();
    await kit.drain(context);
    await kit.rows("update activation set ended_at = now() - interval '1 hour'");
    await discardDueCopies(context, never);
    expect(onDisk(before)).toEqual([]);
    expect(await remembered()).toEqual([]);
  });

  it("ruling 33: compromise and destroy remove it at once, and name what is left where the host is away", async () => {
    const id = await host({ command: ["/usr/bin/true"] }, "vps-1", { port: line.port });
    await settle(before);
    await kit.set("TOKEN", after, context);
    // Written, and its restart owed: nobody has come to that yet.
    await reconcileTarget(context, id, never);
    expect(kept()).toHaveLength(1);

    const up = line.goDown();
    const named = await markCompromised(context, TESTER, NAME, 1);
    expect(named.copies).toMatchObject([{ target: "vps-1", file, owedAt: expect.any(Date) }]);
    expect(kept()).toHaveLength(1);
    await kit.rows(
      "update kept_copy set owed_at = now() - interval '1 day', kept_at = now() - interval '1 day'",
    );
    const { findings } = await runDoctor(context, { live: false, timeoutMs: 1000 }, never);
    expect(findings).toContainEqual(
      expect.objectContaining({ id: "copy-kept", target: "vps-1", placement: file }),
    );

    up();
    await kit.rows("update kept_copy set next_attempt_at = now()");
    await discardDueCopies(context, never);
    expect(onDisk(before)).toEqual([]);
    expect(await remembered()).toEqual([]);
  });

  it("ruling 33: what a worker left behind or an earlier release kept is found, told and removed", async () => {
    await host(null);
    await settle(after);
    const state = join(sshd.home, ".lockstep");
    const key =
      readdirSync(state)
        .find((name) => name.endsWith(".order"))
        ?.slice(0, -".order".length) ?? "";
    expect(key).not.toBe("");
    for (const [name, text] of [
      ["keep", before],
      ["wrote", "0".repeat(64)],
    ] as const)
      writeFileSync(join(state, `${lastKey(state)}.${name}`), text, { mode: 0o600 });
    expect(onDisk(before)).toHaveLength(1);
    await testTarget(context, { environment: "production", name: "vps-1" }, never);
    expect(await remembered()).toHaveLength(1);
    await discardDueCopies(context, never);
    expect(onDisk(before)).toEqual([]);
    expect(await remembered()).toEqual([]);
  });

  it("ruling 33: destroying a version removes the copies of its files", async () => {
    const id = await host({ command: ["/usr/bin/true"] });
    await settle(before);
    await settle(after);
    await kit.rows("update secret_version set state = 'retired' where version = 1");
    await kit.rows("update rollout set ended_at = now() - interval '1 year'");
    await database().store.transaction((tx) => tx.keptCopies.found(id, [file]));
    expect(await destroyVersion(context, TESTER, NAME, 1)).toEqual([]);
    expect(await remembered()).toEqual([]);
  });

  /** The state of the file that was written last. */
  function lastKey(state: string): string {
    const orders = readdirSync(state).filter((name) => name.endsWith(".order"));
    const [newest = ""] = orders.sort(
      (left, right) => statSync(join(state, right)).mtimeMs - statSync(join(state, left)).mtimeMs,
    );
    return newest.slice(0, -".order".length);
  }
});
