import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SshConnections } from "../../../src/adapters/hosts/ssh/connections.ts";
import { SftpHost } from "../../../src/adapters/hosts/ssh/sftp-host.ts";
import type { HostWrite } from "../../../src/core/ports/host.ts";
import { startFaultProxy } from "../../support/fault-proxy.ts";
import { lacks } from "../../support/servers.ts";
import {
  destinationOf,
  failure,
  OTHER_STORE_ID,
  orderOf,
  type SshKit,
  soon,
  startSshKit,
} from "../../support/ssh-kit.ts";

describe.skipIf(lacks("sshd"))("files of a host with SFTP alone", () => {
  let kit: SshKit;
  let host: SftpHost;
  let count = 0;

  beforeAll(async () => {
    kit = await startSshKit({ sftpOnly: true });
    host = new SftpHost(kit.connections, destinationOf(kit.sshd));
  });
  afterAll(async () => {
    await kit.stop();
  });

  function newPath(): string {
    count += 1;
    return join(kit.directory, `env-${count}`);
  }

  function existing(content: string, mode = 0o600): string {
    const path = newPath();
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  }

  function writing(content: string | Buffer, before: string | null, generation = 1): HostWrite {
    const digest = before === null ? "absent" : createHash("sha256").update(before).digest("hex");
    return {
      content: Buffer.from(content),
      expectedDigest: digest,
      order: orderOf(generation),
      mode: 0o640,
      keepCopy: true,
    };
  }

  it("says that it is unfenced, and runs nothing", async () => {
    expect(host.fenced).toBe(false);
    await expect(host.run()).rejects.toMatchObject({ code: "UNSUPPORTED" });
    // The control: the account really has no shell.
    expect(await failure(kit.host.read(newPath(), soon()))).toMatchObject({ code: "TARGET_PROTOCOL" });
  });

  it("writes, reads back, keeps the mode and leaves nothing beside the file", async () => {
    const path = newPath();
    expect(await host.read(path, soon())).toEqual({ state: "absent", order: null });
    const large = Buffer.alloc(300_000, Buffer.from([0, 10, 255]));
    await host.write(path, writing(large, null, 3), soon());
    expect(await host.read(path, soon())).toMatchObject({ mode: 0o640, order: orderOf(3) });
    expect(readFileSync(path).equals(large)).toBe(true);

    const old = existing("A=1\n", 0o600);
    await host.write(old, writing("A=2\n", "A=1\n"), soon());
    expect(readFileSync(old, "utf8")).toBe("A=2\n");
    expect(statSync(old).mode & 0o777).toBe(0o600);
    expect(readdirSync(kit.directory).filter((name) => name.startsWith(".lockstep"))).toEqual([]);
    expect(statSync(join(kit.sshd.home, ".lockstep")).mode & 0o777).toBe(0o700);
  });

  it("keeps a change made by hand, and refuses older orders and other stores that it sees", async () => {
    const path = existing("A=by hand\n");
    await expect(host.write(path, writing("A=2\n", "A=1\n"), soon())).rejects.toMatchObject({
      code: "WRITE_CONFLICT",
    });
    await host.write(path, writing("A=2\n", "A=by hand\n", 5), soon());
    for (const order of [orderOf(4), orderOf(9, 9, OTHER_STORE_ID)]) {
      await expect(host.write(path, { ...writing("A=3\n", "A=2\n"), order }, soon())).rejects.toMatchObject({
        code: "ORDER_REFUSED",
      });
    }
    expect(readFileSync(path, "utf8")).toBe("A=2\n");
  });

  it("restores and discards the copy", async () => {
    const path = existing("A=good\n");
    await host.write(path, writing("A=bad\n", "A=good\n", 2), soon());
    expect(await host.hasRestoreCopy(path, soon())).toBe(true);
    await host.restore(path, orderOf(3), soon());
    expect(readFileSync(path, "utf8")).toBe("A=good\n");
    expect(await host.hasRestoreCopy(path, soon())).toBe(false);
    await expect(host.restore(path, orderOf(4), soon())).rejects.toMatchObject({ code: "NOT_FOUND" });
    await host.discardRestoreCopy(path, soon());
  });

  it("refuses unsafe files and ways", async () => {
    const link = newPath();
    symlinkSync(existing("A=1\n"), link);
    const wide = join(kit.directory, "wide");
    mkdirSync(wide);
    chmodSync(wide, 0o777);
    writeFileSync(join(wide, "env"), "A=1\n", { mode: 0o600 });
    for (const path of [link, existing("A=1\n", 0o644), existing("A=1\n", 0o660), join(wide, "env")]) {
      for (const attempt of [
        () => host.read(path, soon()),
        () => host.write(path, writing("A=2\n", readFileSync(path, "utf8")), soon()),
      ]) {
        await expect(attempt(), path).rejects.toMatchObject({ code: "FILE_UNSAFE" });
      }
    }
  });

  it("finds paths below home", async () => {
    const path = newPath();
    await host.write(path.replace(kit.sshd.home, "~"), writing("A=1\n", null), soon());
    expect(readFileSync(path, "utf8")).toBe("A=1\n");
  });

  it("replaces a kept line that was cut", async () => {
    const proxy = await startFaultProxy(kit.sshd.port);
    const connections = new SshConnections();
    const faulty = new SftpHost(connections, destinationOf(kit.sshd, { port: proxy.port }));
    const path = existing("A=1\n");
    await faulty.read(path, soon());
    proxy.cut();
    expect(await faulty.read(path, soon())).toMatchObject({ state: "present" });
    expect(proxy.accepted()).toBe(2);
    await connections.close();
    await proxy.stop();
  });

  it("is not held by a silent line, and removes what a lost one left", async () => {
    const proxy = await startFaultProxy(kit.sshd.port);
    const connections = new SshConnections();
    const faulty = new SftpHost(connections, destinationOf(kit.sshd, { port: proxy.port }));
    const path = existing("A=1\n");
    await faulty.read(path, soon());
    const content = "A=".padEnd(400_000, "x");
    proxy.silenceAfter("to-server", 200_000);
    const outcome = await failure(faulty.write(path, writing(content, "A=1\n"), AbortSignal.timeout(700)));
    expect(outcome).toMatchObject({ code: "TARGET_UNREACHABLE" });
    await proxy.stop();
    await connections.close();
    expect(readFileSync(path, "utf8")).toBe("A=1\n");
    expect(readdirSync(kit.directory).some((name) => name.startsWith(".lockstep-"))).toBe(true);
    await host.write(path, writing(content, "A=1\n"), soon());
    expect(readdirSync(kit.directory).some((name) => name.startsWith(".lockstep-"))).toBe(false);
    expect(existsSync(path)).toBe(true);
  });
});
