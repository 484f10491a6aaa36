/** What happens to the rights of the user that Lockstep logs in as: taken away by hand, or by what somebody did as root. */
import { chmodSync, chownSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { expect } from "vitest";
import { type Outage, playOutages } from "./outage.ts";
import { SECRET, textOf, VPS_KEY, type World } from "./world.ts";

/** Root is denied nothing: as root, the host's user is somebody else. */
const isRoot = process.getuid?.() === 0;
const USER = isRoot ? 65_534 : (process.getuid?.() ?? 0);
const app = ({ files }: World) => dirname(files.vps);
const give = (uid: number) => (path: string) => chownSync(path, uid, uid);
const toRoot = give(0);
const toUser = give(USER);
const may = (right: string) => new RegExp(`the user with id ${USER} may not ${right}`);

const asEverybody: readonly Outage[] = [
  {
    name: "the directory may not be written any more when a new value comes",
    async breaks(world) {
      // The value lies there as the host's user wrote it.
      expect(statSync(world.files.vps).uid).toBe(USER);
      chmodSync(app(world), 0o500);
      expect((await world.doctor()).answer.findings).toEqual([]);
      await world.cli(`secret set ${SECRET}`, { stdin: `canary-next-88f1-${Date.now()}` });
      await world.rest();
    },
    finding: { id: "push-gave-up", target: "vps" },
    says: new RegExp(
      `vps, \\S+env, key ${VPS_KEY}: holds v2 .*should hold v3[\\s\\S]*${may("make files in the directory \\S+app\\.").source} .lockstep target test. prints the rights`,
    ),
    command: /^lockstep target test vps && lockstep rollout resume \S+$/,
    async fixes(world) {
      const { stdout } = await world.cli("target test vps");
      expect(stdout).toMatch(/The SSH user may not make files in \S+app, which an atomic replacement needs/);
      chmodSync(app(world), 0o700);
    },
    tidies: async (world) => expect(textOf(world.files.vps)).toBe(`${VPS_KEY}="${await world.current()}"\n`),
  },
  {
    name: "the file may not be read any more",
    breaks: ({ files }) => chmodSync(files.vps, 0o200),
    finding: { id: "unreachable", target: "vps", severity: "cannot-tell" },
    says: new RegExp(`vps could not be checked[\\s\\S]*${may("read \\S+app/env").source}`),
    command: /^lockstep target test vps$/,
    fixes: ({ files }) => chmodSync(files.vps, 0o600),
  },
];

/** Which only root can do. */
const byRoot: readonly Outage[] = [
  {
    name: "the directory is given to root",
    breaks: (world) => toRoot(app(world)),
    finding: { id: "unreachable", target: "vps", severity: "cannot-tell" },
    says: may("enter the directory \\S+app"),
    command: /^lockstep target test vps$/,
    fixes: (world) => toUser(app(world)),
  },
  {
    name: "an editor that ran as root leaves the file to root",
    breaks: ({ files }) => toRoot(files.vps),
    finding: { id: "unreachable", target: "vps", severity: "cannot-tell" },
    says: /env on \S+: it belongs to the user with id 0/,
    command: /^lockstep target test vps$/,
    fixes: ({ files }) => toUser(files.vps),
  },
];

playOutages(isRoot ? [...asEverybody, ...byRoot] : asEverybody, undefined, { asUser: USER });
