/** What happens to disks: they fill up, or fail and can only be read. */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { expect } from "vitest";
import type { OwnMounts } from "../support/own-mounts.ts";
import { playOutages } from "./outage.ts";
import { SECRET, VPS_KEY, type World } from "./world.ts";

/** Where the kept file of a target is, as its machine has it mounted. */
interface Place {
  readonly target: "vps" | "mini";
  readonly disks: OwnMounts;
  readonly file: string;
  readonly app: string;
  /** Its whole text, with this value. */
  readonly text: (value: string) => string;
}

function given(mounts: OwnMounts | null): OwnMounts {
  if (mounts === null) throw new Error("there are no mounts of its own");
  return mounts;
}
const vps = ({ sshd, files: { vps: file } }: World): Place => ({
  target: "vps",
  disks: given(sshd.mounts),
  file,
  app: dirname(file),
  text: (value) => `${VPS_KEY}="${value}"\n`,
});
const mini = ({ machine, files: { mini: file } }: World): Place => ({
  target: "mini",
  disks: given(machine.mounts()),
  file,
  app: dirname(file),
  text: (value) => `${SECRET}='${value}'\n`,
});

let before = "";
/** A look sees nothing wrong: what stands there stays. So a new value comes, and cannot be written. */
async function changes(world: World, { target }: Place): Promise<void> {
  expect((await world.doctor()).answer.findings).toEqual([]);
  before = await world.current();
  await world.cli(`secret set ${SECRET}`, { stdin: `canary-next-88f1-${Date.now()}` });
  await world.untilRefused(target);
}
function holds({ disks, file, text }: Place, value: string): void {
  expect(readFileSync(disks.seen(file), "utf8")).toBe(text(value));
}
const repairs = ({ target }: Pick<Place, "target">) =>
  new RegExp(`^lockstep target test ${target} && lockstep heal --target ${target} --secret ${SECRET}$`);

playOutages(
  [
    {
      name: "the host's disk is full when a new value comes",
      async breaks(world) {
        vps(world).disks.fill(vps(world).app);
        await changes(world, vps(world));
      },
      finding: { id: "push-retrying", target: "vps" },
      says: /vps, \S+env, key KEY_AUTH: holds v2 .*should hold v3[\s\S]*on root@\S+: the disk there is full \(\S+app\)\. Free space there \(`df -h`/,
      refuses: /Calls from vps to api are refused .*: vps sends v2, api accepts v3/,
      command: repairs({ target: "vps" }),
      async fixes(world) {
        const { disks, app } = vps(world);
        holds(vps(world), before);
        expect((await world.cli("target test vps")).stdout).toMatch(/The disk of \S+app is full/);
        disks.free(app);
      },
      async tidies(world) {
        const { disks, app } = vps(world);
        holds(vps(world), await world.current());
        disks.giveBack(app);
      },
    },
    {
      name: "the host's disk fails, and Linux lets it be read only",
      async breaks(world) {
        vps(world).disks.turnReadOnly(world.sshd.home);
        await changes(world, vps(world));
      },
      finding: { id: "push-retrying", target: "vps" },
      says: /the file system there can only be read \(\S+\)\. Linux does this when a disk fails: see `dmesg` there/,
      command: repairs({ target: "vps" }),
      async fixes(world) {
        holds(vps(world), before);
        expect((await world.cli("target test vps")).stdout).toMatch(
          /file system of \S+app can only\s+be read/,
        );
        vps(world).disks.turnWritable(world.sshd.home);
      },
      tidies: async (world) => holds(vps(world), await world.current()),
    },
    {
      name: "the disk of a machine with an agent is full when a new value comes",
      async breaks(world) {
        mini(world).disks.fill(mini(world).app);
        await changes(world, mini(world));
      },
      finding: { id: "push-retrying", target: "mini" },
      says: /mini, \S+\.env, key INTERNAL_AUTH_SECRET: holds v\d+ .*should hold v[\s\S]*on the agent's machine: the disk there is full \(\S+app\)\. Free space there/,
      command: repairs({ target: "mini" }),
      fixes(world) {
        holds(mini(world), before);
        mini(world).disks.free(mini(world).app);
      },
      async tidies(world) {
        holds(mini(world), await world.current());
        mini(world).disks.giveBack(mini(world).app);
      },
    },
  ],
  undefined,
  { ownMounts: true },
);
