/**
 * Files of a host that are guarded by more than their mode: immutable, append-only, with ACLs. Ruling 17: nothing is half
 * written, ACLs stay as they are, and each is told as what it is, with its remedy.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { SftpHost } from "../../src/adapters/hosts/ssh/sftp-host.ts";
import { SshHost } from "../../src/adapters/hosts/ssh/ssh-host.ts";
import { sshKind } from "../../src/adapters/targets/ssh/target.ts";
import type { Host, HostWrite } from "../../src/core/ports/host.ts";
import { itWhere } from "../support/it-where.ts";
import { lacks } from "../support/servers.ts";
import { destinationOf, failure, orderOf, type SshKit, soon, startSshKit } from "../support/ssh-kit.ts";

const OLD = "A='old'\n";
const CANARY = "canary-a7d2";
const change: HostWrite = {
  content: Buffer.from(`A='${CANARY}'\n`),
  expectedDigest: createHash("sha256").update(OLD).digest("hex"),
  order: orderOf(1),
  mode: 0o600,
};
const WAYS = [
  { way: "the helper", helper: true, sftpOnly: false },
  { way: "the script", helper: false, sftpOnly: false },
  { way: "SFTP", helper: false, sftpOnly: true },
];

describe.skipIf(lacks("sshd") || lacks("file-attributes") || lacks("file-acls"))("ruling 17", () => {
  describe.each(WAYS)("on a host written by $way", ({ helper, sftpOnly }) => {
    let kit: SshKit;
    let host: Host;
    let path: string;
    const marked: string[] = [];
    const mark = (attribute: string, at: string) => {
      execFileSync("chattr", [attribute, at]);
      marked.push(at);
    };
    const facl = (...words: readonly string[]) => execFileSync("setfacl", words);
    const aclOf = (at: string) => execFileSync("getfacl", ["-cp", at], { encoding: "utf8" }).trim();
    const everything = (at: string): string =>
      readdirSync(at, { withFileTypes: true })
        .map((entry) =>
          entry.isDirectory()
            ? everything(join(at, entry.name))
            : readFileSync(join(at, entry.name), "latin1"),
        )
        .join("\n");

    beforeAll(async () => {
      kit = await startSshKit({ sftpOnly }, { helper });
      host = sftpOnly
        ? new SftpHost(kit.connections, destinationOf(kit.sshd))
        : new SshHost(kit.connections, destinationOf(kit.sshd), { helper });
    });
    afterAll(() => kit.stop());
    let count = 0;
    beforeEach(() => {
      count += 1;
      path = join(kit.directory, `env-${count}`);
      writeFileSync(path, OLD, { mode: 0o640 });
      chmodSync(path, 0o640);
    });
    afterEach(() => {
      for (const at of marked.splice(0)) execFileSync("chattr", ["-i", "-a", at]);
      facl("-b", "-k", kit.directory);
      for (const name of readdirSync(kit.directory)) rmSync(join(kit.directory, name));
      rmSync(join(kit.sshd.home, ".lockstep"), { recursive: true, force: true });
    });

    it.each([
      ["an immutable file", "+i", true],
      ["an append-only file", "+a", true],
      ["a file in an immutable directory", "+i", false],
      ["a file in an append-only directory", "+a", false],
    ])("%s is told as such, before anything of the new value is there", async (_, attribute, isFile) => {
      const at = isFile ? path : kit.directory;
      mark(attribute, at);
      for (let round = 1; round <= 3; round += 1) {
        expect(await failure(host.write(path, change, soon()))).toMatchObject({
          code: "TARGET_PERMISSION",
          message: expect.stringMatching(new RegExp(`${at} is immutable or append-only\\.$`)),
          hint: expect.stringMatching(/`chattr -i -a`/),
        });
      }
      expect(readFileSync(path, "utf8")).toBe(OLD);
      expect(everything(kit.sshd.home)).not.toContain(CANARY);
      // Nothing is marked as written either: a lower generation may still come.
      expect(await host.read(path, soon())).toMatchObject({ order: null });
      // What can never leave such a directory is made once at most, and is empty.
      expect(
        readdirSync(kit.directory).filter((name) => name.startsWith(".lockstep-")).length,
      ).toBeLessThanOrEqual(attribute === "+a" && !isFile ? 1 : 0);
      execFileSync("chattr", ["-i", "-a", at]);
      await host.write(path, change, soon());
      expect(readFileSync(path)).toEqual(change.content);
      expect(existsSync(join(kit.directory, ".lockstep-"))).toBe(false);
    });

    it("a home in which nothing may be made says so", async () => {
      const state = join(kit.sshd.home, ".lockstep");
      execFileSync("rm", ["-rf", state]);
      mark("+i", kit.sshd.home);
      const written = host.write(path, change, soon());
      // Over SFTP a home that is not ours to write is nothing unusual: then no copy is kept.
      if (sftpOnly) await written;
      else
        expect(await failure(written)).toMatchObject({
          code: "TARGET_PERMISSION",
          message: expect.stringMatching(/\.lockstep is immutable or append-only\.$/),
        });
    });

    // SFTP shows no ACLs: `target test` says so.
    itWhere(!sftpOnly)(
      "the ACL of a file stays, and one that the directory gives to new files gives nobody a right",
      async () => {
        for (const own of [["-m", "u:1:r"], ["-b"]]) {
          facl("-k", kit.directory);
          const file = join(kit.directory, `acl${own.join("")}`);
          writeFileSync(file, OLD);
          chmodSync(file, 0o640);
          facl(...own, file);
          const before = aclOf(file);
          facl("-d", "-m", "u:2:r", kit.directory);
          await host.write(file, change, soon());
          expect(readFileSync(file)).toEqual(change.content);
          expect(aclOf(file)).toBe(before);
        }
      },
    );

    itWhere(!sftpOnly)("`target test` names who may read by an ACL, and what is immutable", async () => {
      const { config, credentials } = sshKind.parse({
        ssh: kit.sshd.login,
        files: [{ path, format: "dotenv" }],
      });
      const target = sshKind.open(config, credentials, {
        targetName: "vps",
        storeId: orderOf(1).storeId,
        revisionMarker: false,
        budget: { take: async () => {}, report: async () => {} },
      });
      const said = async () =>
        (await target.probe(soon())).checks.find(({ name }) => name === `file ${path}`)?.message;
      expect(await said()).toBe("can be read and is safe");
      facl("-m", "u:1:r,u:2:-", path);
      expect(await said()).toMatch(/its ACL lets others read it too: user \w+$/);
      mark("+i", path);
      expect(await said()).toMatch(/env-\d+ is immutable or append-only\. .*chattr -i -a/);
      execFileSync("chattr", ["-i", path]);
      mark("+a", kit.directory);
      expect(await said()).toMatch(/app is immutable or append-only\. .*chattr -i -a/);
    });
  });
});
