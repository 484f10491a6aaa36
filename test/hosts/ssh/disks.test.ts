/** A host's disk that is full or can only be read, and rights that are gone: real mounts, by each way in which files are written. */
import { createHash } from "node:crypto";
import { linkSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { SftpHost } from "../../../src/adapters/hosts/ssh/sftp-host.ts";
import type { Host, HostWrite } from "../../../src/core/ports/host.ts";
import { itWhere } from "../../support/it-where.ts";
import { lacks } from "../../support/servers.ts";
import { destinationOf, failure, orderOf, type SshKit, soon, startSshKit } from "../../support/ssh-kit.ts";

const WAYS = [
  { way: "the helper", helper: true, sftpOnly: false },
  { way: "the script", helper: false, sftpOnly: false },
  { way: "SFTP", helper: false, sftpOnly: true },
];

describe.skipIf(lacks("sshd") || lacks("mount-namespace")).each(WAYS)(
  "a disk of a host, written by $way",
  ({ helper, sftpOnly }) => {
    let kit: SshKit;
    afterEach(() => kit.stop());

    async function start(): Promise<{ host: Host; path: string }> {
      kit = await startSshKit({ ownMounts: true, sftpOnly }, { helper });
      const path = join(kit.directory, "env");
      writeFileSync(path, "A=1\n", { mode: 0o600 });
      const host = sftpOnly ? new SftpHost(kit.connections, destinationOf(kit.sshd)) : kit.host;
      return { host, path };
    }
    const change: HostWrite = {
      content: Buffer.from(`A=${"x".repeat(20_000)}\n`),
      expectedDigest: createHash("sha256").update("A=1\n").digest("hex"),
      order: orderOf(1),
      mode: 0o600,
    };

    it.each(["app", ".lockstep"])(
      "that is full below ~/%s says so, and takes the change once there is room",
      async (name) => {
        const { host, path } = await start();
        const directory = join(kit.sshd.home, name);
        mkdirSync(directory, { recursive: true, mode: 0o700 });
        kit.sshd.mounts?.fill(directory);
        expect(await failure(host.write(path, change, soon()))).toMatchObject({
          code: "TARGET_FULL",
          verdict: "later",
          message: expect.stringMatching(
            new RegExp(`^Cannot write ${path} on \\S+: the disk there is full \\(${directory}\\S*\\)\\.$`),
          ),
        });
        expect(await host.read(path, soon())).toMatchObject({ content: Buffer.from("A=1\n") });
        kit.sshd.mounts?.free(directory);
        await host.write(path, change, soon());
        const app = kit.sshd.mounts?.seen(kit.directory) ?? "";
        expect(readFileSync(join(app, "env"))).toEqual(change.content);
        expect(readdirSync(app)).toEqual(["env"]);
      },
    );

    it("with a file that is mounted by itself says so, and changes it in place where that is said", async () => {
      const { host, path } = await start();
      const outside = join(kit.sshd.home, "outside env");
      writeFileSync(outside, "A=1\n", { mode: 0o600 });
      kit.sshd.mounts?.cover(path, outside);
      const refused = await failure(host.write(path, change, soon()));
      expect(readFileSync(outside, "utf8")).toBe("A=1\n");
      expect(readdirSync(kit.directory)).toEqual(["env"]);
      if (sftpOnly) {
        // SFTP says no more than "failure".
        expect(refused).toMatchObject({
          code: "TARGET_REFUSED",
          message: expect.stringContaining(
            "cannot be moved into place, as for one that is mounted by itself",
          ),
        });
        return;
      }
      expect(await host.read(path, soon())).toMatchObject({ shared: "mount" });
      for (const how of [undefined, "replace"] as const)
        expect(await failure(host.write(path, { ...change, ...(how && { how }) }, soon()))).toMatchObject({
          code: "FILE_SHARED",
          message: expect.stringContaining("is mounted by itself"),
          hint: expect.stringContaining("Mount the directory"),
        });
      await host.write(path, { ...change, how: "in-place" }, soon());
      expect(readFileSync(outside)).toEqual(change.content);
      // A name with a blank, as /proc/self/mountinfo writes it.
      const blank = join(kit.directory, "with blank \\ env");
      writeFileSync(blank, "A=1\n", { mode: 0o600 });
      kit.sshd.mounts?.cover(blank, outside);
      expect(await host.read(blank, soon())).toMatchObject({ shared: "mount" });
    });

    itWhere(!sftpOnly)("that fills up while a file grows in place leaves what stood there", async () => {
      const { host, path } = await start();
      const outside = join(kit.directory, "other");
      linkSync(path, outside);
      const state = join(kit.sshd.home, ".lockstep");
      mkdirSync(state, { mode: 0o700 });
      kit.sshd.mounts?.fill(kit.directory);
      expect(await failure(host.write(path, { ...change, how: "in-place" }, soon()))).toMatchObject({
        code: "TARGET_FULL",
      });
      expect(await host.read(path, soon())).toMatchObject({ content: Buffer.from("A=1\n") });
      expect(readdirSync(state).filter((name) => name.endsWith(".was"))).toEqual([]);
    });

    it.each(["app", "."])(
      "that can only be read below ~/%s says so, and takes the change once it is mended",
      async (name) => {
        const { host, path } = await start();
        const directory = join(kit.sshd.home, name);
        kit.sshd.mounts?.turnReadOnly(directory);
        expect(await failure(host.write(path, change, soon()))).toMatchObject({
          code: "TARGET_READ_ONLY",
          verdict: "later",
          message: expect.stringMatching(/: the file system there can only be read \(\S+\)\.$/),
        });
        expect(await host.read(path, soon())).toMatchObject({ content: Buffer.from("A=1\n") });
        kit.sshd.mounts?.turnWritable(directory);
        await host.write(path, change, soon());
        expect(readFileSync(path)).toEqual(change.content);
      },
    );
  },
);
