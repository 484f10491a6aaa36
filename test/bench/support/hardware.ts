/** The machine that the figures belong to, and how busy it was with others. */
import { cpus, loadavg, totalmem } from "node:os";
import { performance } from "node:perf_hooks";

export interface Hardware {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly node: string;
  readonly platform: string;
  /** One-minute load when the bench began: other work makes every figure worse. */
  readonly loadBefore: number;
}

export function hardware(): Hardware {
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() ?? "unknown",
    cores: all.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    loadBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}

export interface Usage {
  readonly wallMs: number;
  /** Of this process. */
  readonly ownCpuMs: number;
  /** Of the whole machine, 0 to 1: servers, other tools and strangers included. */
  readonly machineBusy: number;
}

/** Measures time and processors around `work`. */
export async function measured<T>(
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly usage: Usage }> {
  const before = { wall: performance.now(), own: process.cpuUsage(), machine: machineTimes() };
  const value = await work();
  const own = process.cpuUsage(before.own);
  const machine = machineTimes();
  const all = machine.all - before.machine.all;
  return {
    value,
    usage: {
      wallMs: performance.now() - before.wall,
      ownCpuMs: (own.user + own.system) / 1_000,
      machineBusy: all === 0 ? 0 : 1 - (machine.idle - before.machine.idle) / all,
    },
  };
}

function machineTimes(): { readonly all: number; readonly idle: number } {
  let all = 0;
  let idle = 0;
  for (const { times } of cpus()) {
    all += times.user + times.nice + times.sys + times.idle + times.irq;
    idle += times.idle;
  }
  return { all, idle };
}
