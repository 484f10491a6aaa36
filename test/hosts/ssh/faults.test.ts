import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SshConnections } from "../../../src/adapters/hosts/ssh/connections.ts";
import { SshHost } from "../../../src/adapters/hosts/ssh/ssh-host.ts";
import type { LockstepError } from "../../../src/core/errors.ts";
import type { HostWrite } from "../../../src/core/ports/host.ts";
import { type FaultProxy, startFaultProxy } from "../../support/fault-proxy.ts";
import { lacks } from "../../support/servers.ts";
import {
  destinationOf,
  failure,
  orderOf,
  type SshKit,
  soon,
  startSshKit,
  until,
} from "../../support/ssh-kit.ts";

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Large enough that a line can die in the middle of it. */
const NEW = `A=${"x".repeat(500_000)}\n`;

const WAYS = [
  { way: "the helper", helper: true },
  { way: "the script", helper: false },
];

describe.skipIf(lacks("sshd")).each(WAYS)("a line that dies while $way writes a file", ({ helper }) => {
  let kit: SshKit;
  let proxy: FaultProxy;
  let connections: SshConnections;
  let host: SshHost;
  let path: string;

  beforeEach(async () => {
    kit = await startSshKit();
    proxy = await startFaultProxy(kit.sshd.port);
    connections = new SshConnections();
    host = new SshHost(connections, destinationOf(kit.sshd, { port: proxy.port }), { helper, aliveMs: 0 });
    path = join(kit.directory, "env");
    writeFileSync(path, "A=1\n", { mode: 0o600 });
    // The line is up and kept before anything goes wrong.
    await host.read(path, soon());
  });

  afterEach(async () => {
    proxy.speak();
    await connections.close();
    await proxy.stop();
    await kit.stop();
  });

  function writing(generation = 2): HostWrite {
    return {
      content: Buffer.from(NEW),
      expectedDigest: digest("A=1\n"),
      order: orderOf(generation),
      mode: 0o600,
      keepCopy: true,
    };
  }

  /** Through a line without faults. */
  async function truth(): Promise<string> {
    const file = await kit.host.read(path, soon());
    return file.state === "present" ? Buffer.from(file.content).toString("utf8") : "";
  }

  it("before the session is open: the write is done on a new line", async () => {
    proxy.cut();
    await host.write(path, writing(), soon());
    expect(await truth()).toBe(NEW);
  });

  it.each([2_000, 7_500, 100_000, 400_000])(
    "after %i bytes of it: unknown, and nothing is written",
    async (bytes) => {
      proxy.cutAfter("to-server", bytes);
      await expect(host.write(path, writing(), soon())).rejects.toMatchObject({
        code: "TARGET_OUTCOME_UNKNOWN",
      });
      expect(await truth()).toBe("A=1\n");
      await host.write(path, writing(), soon());
      expect(await truth()).toBe(NEW);
    },
  );

  it("before the answer arrives: unknown, and reading back shows that it was written", async () => {
    // The answer is the last thing that comes; everything else has passed when most of the content has.
    const before = proxy.passed("to-server");
    const outcome = failure(host.write(path, writing(), soon()));
    await until(() => proxy.passed("to-server") > before + 100_000);
    proxy.silence("to-client");
    await until(() => readFileSync(path, "utf8") === NEW);
    proxy.cut();
    expect(await outcome).toMatchObject({ code: "TARGET_OUTCOME_UNKNOWN" });
    expect(await truth()).toBe(NEW);
    proxy.speak();
    // The same write again finds other content than it expects, and says so.
    await expect(host.write(path, writing(), soon())).rejects.toMatchObject({ code: "WRITE_CONFLICT" });
  });

  it("without a word: the deadline ends the wait, and the late write is refused once a newer one was made", async () => {
    proxy.silenceAfter("to-server", 400_000);
    const outcome = failure(host.write(path, writing(2), AbortSignal.timeout(1_000)));
    expect(await outcome).toMatchObject({ code: "TARGET_OUTCOME_UNKNOWN" });
    await kit.host.write(path, { ...writing(3), content: Buffer.from("A=newer\n") }, soon());
    proxy.speak();
    await connections.close();
    expect(await truth()).toBe("A=newer\n");
  });

  it("leaves no value behind: neither in temporary files nor in the state", async () => {
    proxy.cutAfter("to-server", 100_000);
    await failure(host.write(path, writing(), soon()));
    const state = join(kit.sshd.home, ".lockstep");
    // The helper touches nothing before it has all of the data.
    if (helper) expect(existsSync(state)).toBe(false);
    else await until(() => existsSync(state));
    const left = () => (existsSync(state) ? readdirSync(state) : []);
    await until(() => left().every((name) => !name.includes(".in.")));
    expect(readdirSync(kit.directory)).toEqual(["env"]);
    for (const name of left()) {
      expect(readFileSync(join(state, name), "utf8")).not.toContain("xxx");
    }
  });

  it("removes what a killed script left", async () => {
    const state = join(kit.sshd.home, ".lockstep");
    const key = digest(path);
    mkdirSync(state, { mode: 0o700 });
    const incoming = join(state, `${key}.in.0123456789`);
    const temporary = join(kit.directory, ".lockstep-0123456789");
    writeFileSync(incoming, "A=left\n");
    writeFileSync(temporary, "A=left\n");
    writeFileSync(join(state, `${key}.temp`), ".lockstep-0123456789\n");
    const longAgo = Date.now() / 1000 - 7200;
    utimesSync(incoming, longAgo, longAgo);
    await host.write(path, writing(), soon());
    expect(existsSync(incoming)).toBe(false);
    expect(existsSync(temporary)).toBe(false);
  });

  it("removes nothing outside of the directory, whatever the note of a left file says", async () => {
    const state = join(kit.sshd.home, ".lockstep");
    mkdirSync(state, { mode: 0o700 });
    const innocent = join(kit.sshd.home, "innocent");
    writeFileSync(innocent, "");
    writeFileSync(join(state, `${digest(path)}.temp`), "../innocent\n");
    await host.write(path, writing(), soon());
    expect(existsSync(innocent)).toBe(true);
  });

  it("refuses an older write after a crash between marker and rename", async () => {
    // What such a crash leaves: the marker of generation 5 over the old content.
    const state = join(kit.sshd.home, ".lockstep");
    mkdirSync(state, { mode: 0o700 });
    writeFileSync(join(state, `${digest(path)}.order`), "0b9f1a52-6c1d-4a7e-9d57-4a1c2e3f5a6b.1.5\n");
    await expect(host.write(path, writing(4), soon())).rejects.toMatchObject({ code: "ORDER_REFUSED" });
    await host.write(path, writing(5), soon());
    expect(await truth()).toBe(NEW);
  });

  it("refuses to go on over a damaged marker", async () => {
    const state = join(kit.sshd.home, ".lockstep");
    mkdirSync(state, { mode: 0o700 });
    writeFileSync(join(state, `${digest(path)}.order`), "nonsense\n");
    await expect(host.write(path, writing(9), soon())).rejects.toMatchObject({ code: "TARGET_REFUSED" });
    expect(await truth().catch((error: LockstepError) => error.code)).toBe("TARGET_REFUSED");
  });

  it("refuses a state directory that others could read or that leads elsewhere", async () => {
    const state = join(kit.sshd.home, ".lockstep");
    mkdirSync(state, { mode: 0o755 });
    await expect(host.write(path, writing(), soon())).rejects.toMatchObject({ code: "FILE_UNSAFE" });
  });

  it("ends a program whose caller gives up", async () => {
    const marker = join(kit.directory, "started");
    const signal = new AbortController();
    const running = failure(
      host.run(["sh", "-c", `echo $$ >${marker}; exec sleep 60`], { timeoutMs: 60_000 }, signal.signal),
    );
    await until(() => existsSync(marker) && readFileSync(marker, "utf8") !== "");
    const pid = readFileSync(marker, "utf8").trim();
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    signal.abort();
    expect(await running).toMatchObject({ code: "TARGET_OUTCOME_UNKNOWN" });
    await until(() => !existsSync(`/proc/${pid}`));
  });
});
