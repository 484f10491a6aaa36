/**
 * What one process knows of itself: how much it did, how long that took, how it ended. Names after Prometheus' rules
 * (https://prometheus.io/docs/practices/naming/): base units, `_total` for counters, `_seconds` for times.
 *
 * Bound: each metric has at most `KINDS` kinds and a fixed number of outcomes, and requests at most `ROUTES` routes. No
 * label holds the name of a secret, a binding, a target or a host.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Operation, Telemetry } from "../../../core/ports/telemetry.ts";
import { createLabelBound } from "./label-bound.ts";

const KINDS = 32;
const ROUTES = 200;
/** HTTP's own; a request may come with any word in their place. */
const METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);
/** In seconds: from a look at a file on this machine to a redeployment. */
const WORK_BUCKETS = [0.01, 0.05, 0.25, 1, 5, 15, 60, 300, 900];
const REQUEST_BUCKETS = [0.005, 0.025, 0.1, 0.5, 2.5, 10];
/**
 * How often the event loop's lag is measured, in ms; the quantiles hold this pause as well. The default of 10 costs 0.5 % of a
 * core in a process that does nothing, this one 0.06 % (Node 20).
 */
const LAG_EVERY_MS = 100;

const WORK: Readonly<
  Record<Operation, readonly [name: string, help: string, label: "kind" | "job" | "loop"]>
> = {
  push: ["lockstep_push_duration_seconds", "How long one push to one target took.", "kind"],
  activation: [
    "lockstep_activation_request_duration_seconds",
    "How long it took to ask for one restart or redeployment.",
    "kind",
  ],
  look: ["lockstep_look_duration_seconds", "How long one look at one target took.", "kind"],
  "rollout-step": [
    "lockstep_rollout_step_duration_seconds",
    "How long it took to move one rollout as far as it could go.",
    "kind",
  ],
  "issuer-request": [
    "lockstep_issuer_request_duration_seconds",
    "How long an issuer took to make a new value.",
    "kind",
  ],
  job: ["lockstep_job_duration_seconds", "How long one job of the queue took.", "job"],
  loop: ["lockstep_loop_duration_seconds", "How long one round of a worker's loop took.", "loop"],
};

/** Gauges of prom-client's that are named as counters. Others hold the same by type. */
const MISNAMED = [
  "nodejs_active_handles_total",
  "nodejs_active_requests_total",
  "nodejs_active_resources_total",
] as const;

/** Of the connections to Postgres that this process keeps for its statements. */
export interface PoolLevels {
  readonly total: number;
  readonly idle: number;
  readonly waiting: number;
  readonly most: number;
}

export type ProcessMetrics = Pick<
  Telemetry,
  "pushEnded" | "activationEnded" | "jobWaited" | "requestAnswered"
> & {
  readonly registry: Registry;
  worked(operation: Operation, kind: string, outcome: string, seconds: number): void;
  /** Something could not be counted. */
  dropped(): void;
};

export function createProcessMetrics(options: {
  readonly release: string;
  readonly pool: () => PoolLevels;
}): ProcessMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LAG_EVERY_MS });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  watchProcess(registry, options);

  const work = Object.fromEntries(
    Object.entries(WORK).map(([operation, [name, help, label]]) => [
      operation,
      {
        label,
        bound: createLabelBound(KINDS),
        histogram: new Histogram({
          name,
          help,
          labelNames: [label, "outcome"],
          buckets: WORK_BUCKETS,
          registers,
        }),
      },
    ]),
  ) as Record<Operation, { label: string; bound: (kind: string) => string; histogram: Histogram }>;
  const pushes = new Counter({
    name: "lockstep_pushes_total",
    help: "Pushes that ended, by the kind of their target and by how they ended.",
    labelNames: ["kind", "outcome"],
    registers,
  });
  const activations = new Counter({
    name: "lockstep_activations_total",
    help: "Restarts and redeployments that ended, by the kind of what was restarted and by how they ended.",
    labelNames: ["kind", "outcome"],
    registers,
  });
  const activationSeconds = new Histogram({
    name: "lockstep_activation_duration_seconds",
    help: "From the request for a restart or redeployment until it had ended.",
    labelNames: ["kind", "outcome"],
    buckets: WORK_BUCKETS,
    registers,
  });
  const waits = new Histogram({
    name: "lockstep_job_wait_seconds",
    help: "How long a job waited in the queue after its time had come, by two machines' clocks.",
    labelNames: ["job"],
    buckets: WORK_BUCKETS,
    registers,
  });
  const requests = new Counter({
    name: "lockstep_http_requests_total",
    help: "Requests to the API by route and status.",
    labelNames: ["method", "route", "status"],
    registers,
  });
  const requestSeconds = new Histogram({
    name: "lockstep_http_request_duration_seconds",
    help: "How long the API took to answer, by the first digit of the status.",
    labelNames: ["status"],
    buckets: REQUEST_BUCKETS,
    registers,
  });
  const dropped = new Counter({
    name: "lockstep_metrics_dropped_total",
    help: "Numbers that could not be counted, by a fault of Lockstep's own; the work itself went on.",
    registers,
  });
  const [pushKind, activationKind, route] = [KINDS, KINDS, ROUTES].map(createLabelBound) as [
    Bound,
    Bound,
    Bound,
  ];

  return {
    registry,
    dropped: () => dropped.inc(),
    worked: (operation, kind, outcome, seconds) => {
      const { label, bound, histogram } = work[operation];
      histogram.observe({ [label]: bound(kind), outcome }, seconds);
    },
    pushEnded: (kind, outcome) => pushes.inc({ kind: pushKind(kind), outcome }),
    activationEnded: (kind, outcome, seconds) => {
      const labels = { kind: activationKind(kind), outcome };
      activations.inc(labels);
      if (seconds !== null) activationSeconds.observe(labels, seconds);
    },
    jobWaited: (job, seconds) => waits.observe({ job }, Math.max(0, seconds)),
    requestAnswered: ({ method, route: pattern, status, seconds }) => {
      const known = METHODS.has(method) ? method : "other";
      requests.inc({ method: known, route: route(pattern), status: String(status) });
      requestSeconds.observe({ status: `${Math.trunc(status / 100)}xx` }, seconds);
    },
  };
}

type Bound = (value: string) => string;

function watchProcess(
  registry: Registry,
  { release, pool }: { readonly release: string; readonly pool: () => PoolLevels },
): void {
  const registers = [registry];
  new Gauge({
    name: "process_uptime_seconds",
    help: "Since the process started.",
    registers,
    collect() {
      this.set(Math.round(process.uptime()));
    },
  });
  new Gauge({
    name: "lockstep_build_info",
    help: "Always 1; the release stands in its label.",
    labelNames: ["version"],
    registers,
  }).set({ version: release }, 1);
  new Gauge({
    name: "lockstep_store_connections",
    help: "Connections to Postgres that this process holds, in use and idle.",
    labelNames: ["state"],
    registers,
    collect() {
      const { total, idle } = pool();
      this.set({ state: "idle" }, idle);
      this.set({ state: "in_use" }, total - idle);
    },
  });
  const single = (name: string, help: string, value: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  };
  single(
    "lockstep_store_connections_max",
    "Connections to Postgres that this process opens at most.",
    () => pool().most,
  );
  single(
    "lockstep_store_connections_waited_for",
    "Statements that wait for a free connection to Postgres.",
    () => pool().waiting,
  );
}
