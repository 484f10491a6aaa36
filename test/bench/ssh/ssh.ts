/**
 * Hosts per second: the same work on the same hosts by Lockstep, OpenSSH and Ansible, in one run. The work: a 2 KB env
 * file with one changed key, atomically in place, mode 0600; each time with another value, looked at afterwards.
 *
 * Every side is tuned first (how many hosts at a time), and the better of its ways counts.
 */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import type { Bench, BenchOptions, BenchReport } from "../support/bench.ts";
import { measured, type Usage } from "../support/hardware.ts";
import { median, round } from "../support/numbers.ts";
import {
  assertArrived,
  envFile,
  type Fleet,
  MAX_SESSIONS,
  MAX_STARTUPS,
  plant,
  startFleet,
} from "../support/ssh-fleet.ts";
import { openAnsible } from "./ansible.ts";
import { newValue, openLockstep } from "./lockstep.ts";
import { openOpenSsh } from "./openssh.ts";

interface Figure {
  readonly who: string;
  readonly how: string;
  readonly hosts: number;
  readonly perSecond: number;
  readonly usage: Usage;
}

interface Plan {
  readonly hosts: number;
  readonly ansibleHosts: number;
  readonly rounds: number;
  readonly atOnce: readonly number[];
}

const FULL: Plan = { hosts: 200, ansibleHosts: 200, rounds: 5, atOnce: [4, 8, 16, 32, 64] };
const QUICK: Plan = { hosts: 64, ansibleHosts: 8, rounds: 3, atOnce: [8, 32] };
const COLD_ROUNDS = 2;

export const bench: Bench = {
  about: "hosts per second, beside OpenSSH and Ansible",
  async run(options) {
    const plan = options.quick ? QUICK : FULL;
    // Sockets of masters stand in it, and their paths are limited.
    const directory = realpathSync(mkdtempSync("/tmp/lsb-"));
    options.cleanUp(() => rmSync(directory, { recursive: true, force: true }));
    options.say(`starting sshd for ${plan.hosts} hosts`);
    const fleet = await startFleet(plan.hosts, options);
    plant(fleet.hosts, "first");

    const lockstep = await measureLockstep(fleet, plan, options);
    const openssh = await measureOpenSsh(fleet, directory, plan, options);
    const ansible = await measureAnsible(fleet, directory, openssh.configFile, plan, options);
    return report(plan, lockstep, openssh.figures, ansible);
  },
};

async function measureLockstep(fleet: Fleet, plan: Plan, { say, signal, cleanUp }: BenchOptions) {
  const { hosts } = fleet;
  const cold: Figure[] = [];
  for (const atOnce of plan.atOnce.filter((many) => many >= 8)) {
    for (let count = 0; count < COLD_ROUNDS; count += 1) {
      const side = openLockstep(fleet, hosts);
      const value = newValue();
      cold.push(
        await figure("Lockstep, cold", `${atOnce} at once`, hosts.length, () =>
          side.push(value, atOnce, signal),
        ),
      );
      await side.close();
      assertArrived(hosts, value, "Lockstep");
    }
  }
  const side = openLockstep(fleet, hosts);
  cleanUp(() => side.close());
  await side.push(newValue(), 32, signal);
  const kept = await tuned(plan, "Lockstep, kept connections", async (atOnce) => {
    const value = newValue();
    const one = await figure("Lockstep, kept connections", `${atOnce} at once`, hosts.length, () =>
      side.push(value, atOnce, signal),
    );
    assertArrived(hosts, value, "Lockstep");
    return one;
  });
  await side.close();
  const figures = { cold: best(cold), kept };
  for (const one of Object.values(figures)) say(`${one.who}: ${round(one.perSecond)} hosts/s`);
  return figures;
}

async function measureOpenSsh(
  fleet: Fleet,
  directory: string,
  plan: Plan,
  { say, signal, cleanUp, quick }: BenchOptions,
) {
  const side = openOpenSsh(fleet, directory);
  cleanUp(() => side.closeMasters());
  const { hosts } = fleet;
  const push = async (
    way: "ssh" | "scp",
    which: string,
    many: typeof hosts,
    atOnce: number,
  ): Promise<Figure> => {
    const value = newValue();
    const one = await figure(`OpenSSH ${way}, ${which}`, `xargs -P ${atOnce}`, many.length, () =>
      side.push(way, many, envFile(value), atOnce, signal),
    );
    assertArrived(many, value, `OpenSSH ${way}`);
    return one;
  };
  const few = hosts.slice(0, 48);
  const coldTries: Figure[] = [];
  for (const atOnce of quick ? [8] : [4, 8, 16]) coldTries.push(await push("ssh", "cold", few, atOnce));
  const coldAtOnce = Number(best(coldTries).how.split(" ").at(-1));
  const cold = quick ? best(coldTries) : await push("ssh", "cold", hosts, coldAtOnce);
  say(`${cold.who}: ${round(cold.perSecond)} hosts/s`);

  await side.openMasters(hosts, signal);
  const byWay: Figure[] = [];
  for (const way of ["ssh", "scp"] as const) {
    const found = await tuned(plan, way, (atOnce) => push(way, "masters open", hosts, atOnce));
    say(`${found.who}: ${round(found.perSecond)} hosts/s`);
    byWay.push(found);
  }
  await side.closeMasters();
  return { configFile: side.configFile, figures: { cold, kept: byWay } };
}

async function measureAnsible(
  fleet: Fleet,
  directory: string,
  configFile: string,
  plan: Plan,
  { say, signal, cleanUp, quick }: BenchOptions,
) {
  const side = openAnsible(configFile, directory);
  if (side === null) {
    say("Ansible is missing on this machine (Debian: ansible or ansible-core)");
    return null;
  }
  const hosts = fleet.hosts.slice(0, plan.ansibleHosts);
  cleanUp(() => side.closeMasters(hosts));
  const push = async (way: "copy" | "lineinfile", many: typeof hosts, forks: number): Promise<Figure> => {
    const value = newValue();
    const one = await figure(`Ansible ${way}, kept connections`, `forks ${forks}`, many.length, () =>
      side.push(way, many, { value, content: envFile(value) }, forks, signal),
    );
    assertArrived(many, value, `Ansible ${way}`);
    return one;
  };
  await side.warm(hosts, 8, signal);
  const tries: Figure[] = [];
  const few = hosts.slice(0, 20);
  for (const way of ["copy", "lineinfile"] as const) {
    for (const forks of quick ? [8] : [4, 8, 16]) tries.push(await push(way, few, forks));
  }
  const winner = best(tries);
  const way = winner.who.includes("copy") ? "copy" : "lineinfile";
  const kept = quick ? winner : await push(way, hosts, Number(winner.how.split(" ").at(-1)));
  say(`${kept.who}: ${round(kept.perSecond)} hosts/s`);
  return { kept, version: side.version };
}

async function figure(who: string, how: string, hosts: number, work: () => Promise<void>): Promise<Figure> {
  const { usage } = await measured(work);
  return { who, how, hosts, perSecond: (hosts / usage.wallMs) * 1_000, usage };
}

function best(figures: readonly Figure[]): Figure {
  const found = [...figures].sort((left, right) => right.perSecond - left.perSecond)[0];
  if (found === undefined) throw new Error("nothing was measured");
  return found;
}

/** One round with each number at a time, then the median of several with the best. */
async function tuned(plan: Plan, who: string, push: (atOnce: number) => Promise<Figure>): Promise<Figure> {
  const tries = new Map<Figure, number>();
  for (const atOnce of plan.atOnce) tries.set(await push(atOnce), atOnce);
  const atOnce = tries.get(best([...tries.keys()])) ?? 8;
  const rounds: Figure[] = [];
  for (let count = 0; count < plan.rounds; count += 1) rounds.push(await push(atOnce));
  const middle = median(rounds.map(({ perSecond }) => perSecond));
  const found = rounds.find(({ perSecond }) => perSecond === middle);
  if (found === undefined) throw new Error(`nothing was measured for ${who}`);
  return found;
}

function report(
  plan: Plan,
  lockstep: Awaited<ReturnType<typeof measureLockstep>>,
  openssh: Awaited<ReturnType<typeof measureOpenSsh>>["figures"],
  ansible: Awaited<ReturnType<typeof measureAnsible>>,
): BenchReport {
  const sshKept = best(openssh.kept);
  const others = [sshKept, ...(ansible === null ? [] : [ansible.kept])];
  const ratioToBest = round(lockstep.kept.perSecond / best(others).perSecond, 2);
  const coldRatio = round(lockstep.cold.perSecond / openssh.cold.perSecond, 2);
  const figures = [
    lockstep.cold,
    lockstep.kept,
    openssh.cold,
    ...openssh.kept,
    ...(ansible ? [ansible.kept] : []),
  ];
  const busy = (one: Figure) => `${Math.round(one.usage.machineBusy * 100)} %`;
  const own = (one: Figure) => round(one.usage.ownCpuMs / one.hosts, 2);
  return {
    result: {
      hosts: plan.hosts,
      lockstepColdPerSecond: round(lockstep.cold.perSecond),
      lockstepKeptPerSecond: round(lockstep.kept.perSecond),
      opensshPerSecond: round(sshKept.perSecond),
      opensshColdPerSecond: round(openssh.cold.perSecond),
      ansiblePerSecond: ansible === null ? null : round(ansible.kept.perSecond),
      ratioToBest,
      coldRatio,
    },
    tables: [
      {
        title: `New file in place on ${plan.hosts} hosts (${plan.ansibleHosts} for Ansible)`,
        head: ["who", "best with", "hosts/s", "machine busy", "our CPU ms/host"],
        rows: figures.map((one) => [
          one.who,
          one.how,
          round(one.perSecond),
          busy(one),
          one.who.startsWith("Lockstep") ? own(one) : null,
        ]),
      },
      {
        title: "Lockstep against the better of the others",
        head: ["compared", "times as fast"],
        rows: [
          [`kept connections, against ${best(others).who}`, ratioToBest],
          ["cold, against OpenSSH cold", coldRatio],
        ],
      },
    ],
    conditions: [
      "client and servers share this machine: real sshd processes, each behind 16 loopback addresses; " +
        `MaxStartups ${MAX_STARTUPS} (16 times the default, for 16 hosts), MaxSessions ${MAX_SESSIONS}, ed25519 keys`,
      "Lockstep: look, compare-and-set write with order marker, fsync of file and directory and a copy for restoring, read-back",
      "OpenSSH ssh: `cat > new && mv` in one session; scp: `scp` to a new name, then `ssh mv`; no comparison, sync or read-back",
      ansible === null
        ? "Ansible: missing on this machine"
        : `${ansible.version}: pipelining, ControlPersist, gathering off, the better of copy and lineinfile`,
      "every side tuned in how many at a time; medians of several rounds where connections are kept",
    ],
    limits: [
      `cold: handshakes (key exchange and sshd's forks on the shared cores): machine ${busy(lockstep.cold)} busy, ` +
        `${own(lockstep.cold)} ms of our CPU per host`,
      `kept: machine ${busy(lockstep.kept)} busy, ${own(lockstep.kept)} ms of our CPU per host out of ` +
        `${round(lockstep.kept.usage.wallMs / lockstep.kept.hosts, 2)} ms`,
    ],
  };
}
