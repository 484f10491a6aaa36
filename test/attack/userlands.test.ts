/**
 * Hosts whose tools are not GNU's: busybox, with its own shell and applets alone, and BSD's, which know no GNU options, no
 * `flock` and no `sha256sum`. Each keeps every promise of a fenced host (law 3, ruling 17), or says what it lacks.
 */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { SshHost } from "../../src/adapters/hosts/ssh/ssh-host.ts";
import { hostConformance } from "../conformance/host/suite.ts";
import { findServer, lacks } from "../support/servers.ts";
import { destinationOf, failure, orderOf, type SshKit, soon, startSshKit } from "../support/ssh-kit.ts";

/** Neither has what the helper needs; without `flock` the lock is a directory. */
const HIDDEN = ["/usr/bin/flock", "/usr/bin/perl", "/usr/bin/getfacl", "/usr/bin/setfacl"];

/** Which program stands behind a name when GNU's own must not answer. */
const isGnu = (name: string) => `/usr/bin/${name}`;

/** BSD's tools by what the documentation of FreeBSD and macOS says that they take: whatever GNU adds is refused. */
const BSD: Readonly<Record<string, string>> = {
  sha256sum: "exit 127",
  md5sum: "exit 127",
  // No long options, no -T, no -t, no --reference, no -c of stat.
  mv: `refuse "$@"; exec ${isGnu("mv")} "$@"`,
  cp: `refuse "$@"; exec ${isGnu("cp")} "$@"`,
  ls: `refuse "$@"; exec ${isGnu("ls")} "$@"`,
  rm: `refuse "$@"; exec ${isGnu("rm")} "$@"`,
  chmod: `refuse "$@"; exec ${isGnu("chmod")} "$@"`,
  chgrp: `refuse "$@"; exec ${isGnu("chgrp")} "$@"`,
  mkdir: `refuse "$@"; exec ${isGnu("mkdir")} "$@"`,
  tr: `refuse "$@"; exec ${isGnu("tr")} "$@"`,
  head: `refuse "$@"; exec ${isGnu("head")} "$@"`,
  id: `refuse "$@"; exec ${isGnu("id")} "$@"`,
  // Takes no names.
  sync: `exec ${isGnu("sync")}`,
  mktemp: `refuse "$@"; exec ${isGnu("mktemp")} "$@"`,
  // Wants a place first, and knows no -printf, no -quit, no -perm /MODE.
  find: `refuse "$@"; for w; do case $w in -printf|-quit|-readable|-writable|/[0-7]*) case $w in /[0-7]*[!0-7]*) ;; /[0-7]*|-*) bad "$w";; esac;; esac; done; exec ${isGnu("find")} "$@"`,
  stat: 'case $1 in -f) ;; *) bad "$1";; esac; exit 1',
  date: 'case $1 in -d|--*) bad "$1";; esac; exec /usr/bin/date "$@"',
  // Whole numbers alone, as POSIX has it.
  sleep: 'case $1 in *.*) bad "$1";; esac; exec /usr/bin/sleep "$1"',
  readlink: 'case $1 in -f|-e|-m) bad "$1";; esac; exec /usr/bin/readlink "$@"',
  // FreeBSD's and OpenBSD's own; neither has another in its base but openssl.
  sha256: `[ "$1" = -q ] && [ $# = 1 ] || bad "$1"; "\${0%/*}/.digest" | cut -c1-64`,
  chcon: "exit 127",
};
const BSD_HEAD = `#!/bin/dash
bad() { echo "illegal option -- $1" >&2; exit 64; }
refuse() { for w; do case $w in --) return;; --*|-T) bad "$w";; -*) ;; *) return;; esac; done; }
`;

const cleanups: (() => void)[] = [];
afterAll(() => {
  for (const cleanup of cleanups) cleanup();
});

interface Userland {
  readonly tools: string;
  /** Programs of this machine that the host has not; `sh` in place of its own. */
  readonly hidden: readonly string[];
  readonly sh?: string;
}

function busybox(): Userland {
  const program = findServer("busybox") ?? "";
  const tools = mkdtempSync(join(tmpdir(), "lockstep-busybox-"));
  cleanups.push(() => rmSync(tools, { recursive: true }));
  for (const applet of execFileSync(program, ["--list"], { encoding: "utf8" }).split("\n"))
    if (applet !== "") symlinkSync(program, join(tools, applet));
  return { tools, hidden: HIDDEN, sh: program };
}

function bsd(without: readonly string[] = []): Userland {
  const tools = mkdtempSync(join(tmpdir(), "lockstep-bsd-"));
  cleanups.push(() => rmSync(tools, { recursive: true }));
  for (const [name, text] of Object.entries(BSD)) {
    if (without.includes(name)) continue;
    writeFileSync(join(tools, name), `${BSD_HEAD}${text}\n`);
    chmodSync(join(tools, name), text === "exit 127" ? 0o644 : 0o755);
  }
  copyFileSync(isGnu("sha256sum"), join(tools, ".digest"));
  return { tools, hidden: [...HIDDEN, ...["sha256sum", "shasum", "openssl", ...without].map(isGnu)] };
}

async function startHost({
  tools,
  hidden,
  sh,
}: Userland): Promise<{ readonly kit: SshKit; readonly host: SshHost }> {
  const shells = mkdtempSync(join(tmpdir(), "lockstep-shell-"));
  cleanups.push(() => rmSync(shells, { recursive: true }));
  const loginShell = join(shells, "login");
  writeFileSync(loginShell, `#!/bin/bash\nPATH=${tools}:$PATH; export PATH; eval "$2"\n`);
  chmodSync(loginShell, 0o755);
  const kit = await startSshKit({ loginShell, ownMounts: true });
  for (const path of hidden) kit.sshd.mounts?.cover(path, "/dev/null");
  if (sh !== undefined) kit.sshd.mounts?.cover("/bin/sh", sh);
  return { kit, host: new SshHost(kit.connections, destinationOf(kit.sshd), { helper: true }) };
}

const LACKING = lacks("sshd") || lacks("mount-namespace") || lacks("busybox");
const USERLANDS: readonly (readonly [string, () => Userland])[] = LACKING
  ? []
  : [
      ["busybox", busybox],
      ["BSD's tools", bsd],
    ];

for (const [name, userland] of USERLANDS) {
  hostConformance({
    name: `a host with ${name}`,
    async start() {
      const { kit, host } = await startHost(userland());
      return { host, directory: kit.directory, home: kit.sshd.home, stop: () => kit.stop() };
    },
  });
}

describe.skipIf(LACKING)("a host that lacks a tool", () => {
  let kit: SshKit;
  afterEach(() => kit.stop());

  it.each([
    ["no program for digests", ["sha256"], /the host lacks sha256sum, shasum, sha256 and openssl\./],
    ["no mktemp", ["mktemp"], /the host lacks mktemp/],
  ])("%s: says so with a remedy, and has written nothing", async (_, without, message) => {
    const started = await startHost(bsd(without));
    kit = started.kit;
    const path = join(kit.directory, "env");
    const write = {
      content: Buffer.from("A=1\n"),
      expectedDigest: "absent",
      order: orderOf(1),
      mode: 0o600,
    } as const;
    expect(await failure(started.host.write(path, write, soon()))).toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringMatching(message),
      hint: expect.stringContaining("Install it there"),
    });
    expect(readdirSync(kit.directory)).toEqual([]);
  });
});

/** The shells that people log in with: each starts what is sent, whatever its own syntax. */
const SHELLS = ["dash", "bash", "zsh", "fish", "busybox", "tcsh", "mksh"].flatMap((name) => {
  const path = `/usr/bin/${name}`;
  try {
    execFileSync(path, [...(name === "busybox" ? ["ash"] : []), "-c", "exit 0"], { stdio: "ignore" });
    return [[name, name === "busybox" ? `${path} ash` : path] as const];
  } catch {
    return [];
  }
});

describe.skipIf(LACKING || lacks("zsh") || lacks("fish"))("ruling 18: a login shell", () => {
  it.each(SHELLS)("%s: files are written fenced, and programs get their words", async (_, loginShell) => {
    const kit = await startSshKit({ loginShell });
    try {
      const host = new SshHost(kit.connections, destinationOf(kit.sshd), { helper: false });
      mkdirSync(join(kit.directory, "a b'c"), { mode: 0o700 });
      const path = join(kit.directory, "a b'c", "env");
      const write = {
        content: Buffer.from("A=$1 `x`\n"),
        expectedDigest: "absent",
        order: orderOf(2),
        mode: 0o600,
      } as const;
      await host.write(path, write, soon());
      expect(await host.read(path, soon())).toMatchObject({ content: write.content, order: orderOf(2) });
      expect(await failure(host.write(path, { ...write, order: orderOf(1) }, soon()))).toMatchObject({
        code: "ORDER_REFUSED",
      });
      const words = ["$HOME", "it's", "!x", "\\", "*"];
      const { stdout } = await host.run(["printf", "[%s]", ...words], { timeoutMs: 20_000 }, soon());
      expect(stdout).toBe(words.map((word) => `[${word}]`).join(""));
    } finally {
      await kit.stop();
    }
  });
});
