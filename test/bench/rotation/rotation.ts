/**
 * Rotation under load: how many authenticated requests are refused while a secret moves, in order, all at once, and in
 * order while things fail. Verifiers and callers are real processes; the worker is one that can be killed.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Bench, BenchOptions, BenchReport } from "../support/bench.ts";
import { round } from "../support/numbers.ts";
import { type Collector, type Counts, type Refusal, startCollector } from "./collector.ts";
import { FAULTS } from "./faults.ts";
import { CALLERS, type RotationPlaces, startPlaces } from "./places.ts";
import { openWorld, type World } from "./world.ts";

/** The callers report five times a second. */
const TOLD_WITHIN_MS = 500;
/** Comes with refusals in order: so many say what happened. */
const REFUSALS_SHOWN = 10;
const ROTATIONS = 20;

export const bench: Bench = {
  about:
    "how many requests are refused while a secret is rotated under load: in order, all at once, and while things fail " +
    "(--quick: one rotation in order)",
  async run(options) {
    const rotations = options.quick ? 1 : Number(process.env["BENCH_ROTATIONS"] ?? ROTATIONS);
    const perSecond = options.quick ? 200 : 1_000;
    const collector = await startCollector();
    options.cleanUp(() => collector.close());
    const value = randomBytes(32).toString("base64url");
    const places = await startPlaces(options, { value, perSecond, reportTo: collector.url });
    options.say("services run");
    const world = await openWorld(options, places, value);
    options.say("every place is bound");

    const each = async (strategy: "overlap" | "replace", each: string): Promise<void> => {
      for (let index = 1; index <= rotations; index += 1) {
        const stalls = await world.rotate(strategy);
        if (stalls.length > 0) throw new Error(`a rotation stalled without a fault: ${stalls.join("; ")}`);
        options.say(`${each}: ${index} of ${rotations}`);
      }
    };
    const ordered = await count(collector, options, () => each("overlap", "in order"));
    options.say(`in order: ${said(ordered.counts)}, ${round(ordered.seconds / rotations)} s a rotation`);
    if (options.quick) return report({ rotations, perSecond, ordered, naive: null, faults: null });
    const naive = await count(collector, options, () => each("replace", "all at once"));
    options.say(`all at once: ${said(naive.counts)}`);
    const stalls: Stall[] = [];
    const faults = await count(collector, options, async () => {
      for (const fault of FAULTS) stalls.push(...(await spoiled(world, places, fault, options)));
    });
    options.say(`in order, while things fail: ${said(faults.counts)}`);
    return report({ rotations, perSecond, ordered, naive, faults: { ...faults, stalls } });
  },
};

interface Stall {
  readonly fault: string;
  readonly reason: string;
}

/** A rotation with one fault in it. Throws when it stalls where it may not, or for another reason than the fault. */
async function spoiled(
  world: World,
  places: RotationPlaces,
  fault: (typeof FAULTS)[number],
  options: BenchOptions,
): Promise<readonly Stall[]> {
  const reasons = await world.rotate("overlap", (rotating) => fault.spoil({ world, places, rotating }));
  options.say(
    `${fault.name}: ${reasons.length === 0 ? "done" : `stalled, resumed, done: ${reasons.join("; ")}`}`,
  );
  const wrong = reasons.filter((reason) => fault.stalls === null || !reason.includes(fault.stalls));
  if (wrong.length > 0) throw new Error(`${fault.name}: stalled for another reason: ${wrong.join("; ")}`);
  return reasons.map((reason) => ({ fault: fault.name, reason }));
}

interface Counted {
  readonly counts: Counts;
  readonly seconds: number;
}

async function count(
  collector: Collector,
  { signal, say }: BenchOptions,
  work: () => Promise<void>,
): Promise<Counted> {
  await delay(TOLD_WITHIN_MS, undefined, { signal });
  collector.take(CALLERS);
  const began = performance.now();
  await work();
  const seconds = (performance.now() - began) / 1_000;
  await delay(TOLD_WITHIN_MS, undefined, { signal });
  const { counts, refusals } = collector.take(CALLERS);
  for (const refusal of refusals.slice(0, REFUSALS_SHOWN)) say(refusalText(refusal));
  return { counts, seconds };
}

function refusalText({ caller, callerPid, sent, peer, verifier }: Refusal): string {
  return `refused: ${caller} ${callerPid} sent ${sent} to ${peer}, where ${verifier}`;
}

function total({ answered, refused, unreachable }: Counts): number {
  return answered + refused + unreachable;
}

function said(counts: Counts): string {
  return `${counts.refused} of ${total(counts)} refused, ${counts.unreachable} unreachable`;
}

function numbers({ counts }: Counted) {
  return { requests: total(counts), refused: counts.refused, unreachable: counts.unreachable };
}

interface Measured {
  readonly rotations: number;
  readonly perSecond: number;
  readonly ordered: Counted;
  /** Null: not measured, for want of time. */
  readonly naive: Counted | null;
  readonly faults: (Counted & { readonly stalls: readonly Stall[] }) | null;
}

function report({ rotations, perSecond, ordered, naive, faults }: Measured): BenchReport {
  const row = (name: string, { counts, seconds }: Counted) => [
    name,
    total(counts),
    counts.refused,
    counts.unreachable,
    round(seconds),
  ];
  return {
    result: {
      ...numbers(ordered),
      rotations,
      requestsPerSecond: round(total(ordered.counts) / ordered.seconds),
      secondsPerRotation: round(ordered.seconds / rotations),
      naive: naive === null ? null : numbers(naive),
      faults:
        faults === null
          ? null
          : {
              ...numbers(faults),
              rotations: FAULTS.length,
              stalledThenResumed: faults.stalls.length,
              stalls: faults.stalls.map(({ fault, reason }) => ({ fault, reason })),
            },
    },
    tables: [
      {
        title: "Requests while the secret moves",
        head: ["how", "requests", "refused (401, 403)", "unreachable", "seconds"],
        rows: [
          row(`in order, ${rotations} rotations`, ordered),
          ...(naive === null ? [] : [row(`all at once, ${rotations} rotations`, naive)]),
          ...(faults === null ? [] : [row(`in order, ${FAULTS.length} rotations, a fault in each`, faults)]),
        ],
      },
      ...(faults === null || faults.stalls.length === 0
        ? []
        : [
            {
              title: "Stalled, then resumed",
              head: ["fault", "reason told"],
              rows: faults.stalls.map(({ fault, reason }) => [fault, reason]),
            },
          ]),
    ],
    conditions: [
      `3 verifiers (2 on the simulated Railway, 1 on a host behind a real sshd) and 6 callers (2 there, 2 on hosts, 2 beside agents over TLS), real processes; ${perSecond} requests a second are aimed at in all, over kept connections, through a front a verifier that routes to the newest process`,
      "in order: `overlap`, verifiers asked by live requests, settleFor 1 s; all at once: `replace`, which every product does that overwrites a shared secret",
      ...(faults === null ? [] : [`faults, one a rotation: ${FAULTS.map(({ name }) => name).join("; ")}`]),
      "waits shorter than by default: quiet 0.1 s, polls 0.2 to 0.5 s, looks again after 0.3 s; builds of 0.3 s",
    ],
    limits: [
      "a rotation lasts as long as three restarts after each other, verifiers', callers', verifiers' again, and what is waited for between them",
    ],
  };
}
