/**
 * What the store knows, the same at every server: ask one of them, or take the maximum. How many series there are depends
 * on the closed sets in `core/store/levels.ts` alone (kinds, states, ages, phases), and not on the store's size; the test
 * counts them on a large one.
 */
import { Gauge, Registry } from "prom-client";
import type { StoreLevels } from "../../../core/store/levels.ts";
import { createLabelBound } from "./label-bound.ts";

type Labels = Readonly<Record<string, string>>;
interface Sample {
  readonly labels?: Labels;
  readonly value: number;
}

interface Definition {
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly string[];
  readonly samples: (levels: StoreLevels) => readonly Sample[];
}

/** Of one label of one metric. The kinds of alerts are the most: about 65. */
const VALUES = 100;

interface Counted {
  readonly count: number;
  readonly seconds: number | null;
}

function total<Of extends Counted>(
  rows: readonly Of[],
  isMeant: (row: Of) => boolean = () => true,
): Sample[] {
  return [{ value: rows.filter(isMeant).reduce((sum, { count }) => sum + count, 0) }];
}

/** One sample for each combination of these labels that is there. */
function by<Of extends Counted>(
  rows: readonly Of[],
  labels: readonly (keyof Of & string)[],
  value: (rows: readonly Of[]) => number | null,
): Sample[] {
  const groups = new Map<string, Of[]>();
  for (const row of rows) {
    const key = labels.map((label) => String(row[label])).join(" ");
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].flatMap((group) => {
    const found = value(group);
    const first = group[0];
    if (found === null || first === undefined) return [];
    return [
      { labels: Object.fromEntries(labels.map((label) => [label, String(first[label])])), value: found },
    ];
  });
}

const sum = (rows: readonly Counted[]): number => rows.reduce((all, { count }) => all + count, 0);
const secondsOf = (rows: readonly Counted[]): readonly number[] =>
  rows.flatMap(({ seconds }) => seconds ?? []);
const longest = (rows: readonly Counted[]): number | null => Math.max(0, ...secondsOf(rows));
const soonest = (rows: readonly Counted[]): number | null =>
  secondsOf(rows).length === 0 ? null : Math.min(...secondsOf(rows));

const DEFINITIONS: readonly Definition[] = [
  {
    name: "lockstep_targets",
    help: "Targets.",
    samples: ({ targets }) => total(targets),
  },
  {
    name: "lockstep_targets_owed",
    help: "Targets that do not hold yet what they should.",
    samples: ({ owed }) => total(owed),
  },
  {
    name: "lockstep_targets_gave_up",
    help: "Targets that need a person.",
    samples: ({ targets }) => total(targets, ({ state }) => state === "gave_up"),
  },
  {
    name: "lockstep_targets_by_state",
    help: "Targets by kind, and whether they hold what they should (settled), not yet (owed), or need a person (gave_up).",
    labelNames: ["kind", "state"],
    samples: ({ targets }) => by(targets, ["kind", "state"], sum),
  },
  {
    name: "lockstep_targets_owed_by_age",
    help: "Targets that do not hold yet what they should, by kind and by how long that lasts already.",
    labelNames: ["kind", "age"],
    samples: ({ owed }) => by(owed, ["kind", "age"], sum),
  },
  {
    name: "lockstep_targets_owed_longest_seconds",
    help: "For how long the target that waits longest does not hold what it should; 0 when none does.",
    samples: ({ owed }) => [{ value: longest(owed) ?? 0 }],
  },
  {
    name: "lockstep_targets_looked_at_by_age",
    help: "Targets by kind and by how long ago they were last checked.",
    labelNames: ["kind", "age"],
    samples: ({ checks }) => by(checks, ["kind", "age"], sum),
  },
  {
    name: "lockstep_target_look_oldest_seconds",
    help: "How long ago the target was checked whose last check is the oldest, by kind.",
    labelNames: ["kind"],
    samples: ({ checks }) => by(checks, ["kind"], longest),
  },
  {
    name: "lockstep_activations_open",
    help: "Restarts owed or under way.",
    samples: ({ activations }) => total(activations, ({ state }) => state !== "blocked"),
  },
  {
    name: "lockstep_activations_blocked",
    help: "Restarts that need a person.",
    samples: ({ activations }) => total(activations, ({ state }) => state === "blocked"),
  },
  {
    name: "lockstep_activations_by_state",
    help: "Restarts that are owed, requested, or blocked until a person acts, by the kind of what is restarted.",
    labelNames: ["kind", "state"],
    samples: ({ activations }) => by(activations, ["kind", "state"], sum),
  },
  {
    name: "lockstep_activation_longest_seconds",
    help: "For how long the oldest restart of each state is open.",
    labelNames: ["state"],
    samples: ({ activations }) => by(activations, ["state"], longest),
  },
  {
    name: "lockstep_rollouts_running",
    help: "Rollouts under way.",
    samples: ({ rollouts }) => total(rollouts, ({ state }) => state === "running"),
  },
  {
    name: "lockstep_rollouts_stalled",
    help: "Rollouts that wait for something to be repaired.",
    samples: ({ rollouts }) => total(rollouts, ({ state }) => state === "stalled"),
  },
  {
    name: "lockstep_rollouts_by_phase",
    help: "Open rollouts by phase, state, and how long they are in that phase already.",
    labelNames: ["phase", "state", "age"],
    samples: ({ rollouts }) => by(rollouts, ["phase", "state", "age"], sum),
  },
  {
    name: "lockstep_rollout_phase_longest_seconds",
    help: "For how long the open rollout that waits longest is in its phase, by phase.",
    labelNames: ["phase"],
    samples: ({ rollouts }) => by(rollouts, ["phase"], longest),
  },
  {
    name: "lockstep_tokens_by_time_left",
    help: "Tokens that end, by the time that is left: current values of secrets (issued), and tokens for Lockstep's own API (api).",
    labelNames: ["of", "left"],
    samples: ({ tokens }) => by(tokens, ["of", "left"], sum),
  },
  {
    name: "lockstep_token_first_end_seconds",
    help: "Time until the first token ends; below 0 when one has ended.",
    labelNames: ["of"],
    samples: ({ tokens }) => by(tokens, ["of"], soonest),
  },
  {
    name: "lockstep_alerts_open",
    help: "Alerts that are open.",
    samples: ({ alerts }) => total(alerts),
  },
  {
    name: "lockstep_alerts_open_by_kind",
    help: "Alerts that are open, by what they are about and how grave they are.",
    labelNames: ["kind", "level"],
    samples: ({ alerts }) => by(alerts, ["kind", "level"], sum),
  },
  {
    name: "lockstep_agents_active",
    help: "Agents that are enrolled and not revoked.",
    samples: ({ agentReports }) => total(agentReports),
  },
  {
    name: "lockstep_agents_by_report_age",
    help: "Active agents by how long ago they last reported.",
    labelNames: ["age"],
    samples: ({ agentReports }) => by(agentReports, ["age"], sum),
  },
  {
    name: "lockstep_agents_by_contact_age",
    help: "Active agents by how long ago they were last heard of, in whatever way.",
    labelNames: ["age"],
    samples: ({ agentContacts }) => by(agentContacts, ["age"], sum),
  },
  {
    name: "lockstep_jobs_due",
    help: "Work whose time has come and that no worker has begun, by the kind of job.",
    labelNames: ["job"],
    samples: ({ due }) => by(due, ["job"], sum),
  },
  {
    name: "lockstep_jobs_due_longest_seconds",
    help: "How late the oldest work is that no worker has begun; 0 when none waits. This is the queue's lag.",
    samples: ({ due }) => [{ value: longest(due) ?? 0 }],
  },
];

export interface StoreMetrics {
  /** Without `levels`: the store did not answer, and what it said before is not repeated. */
  text(levels: StoreLevels | null): Promise<string>;
}

export function createStoreMetrics(): StoreMetrics {
  const registry = new Registry();
  const isUp = new Registry();
  const up = new Gauge({
    name: "lockstep_store_up",
    help: "1: the store answered in time; 0: it did not, and what only the store knows is left out.",
    registers: [isUp],
  });
  const gauges = DEFINITIONS.map(({ name, help, labelNames = [], samples }) => ({
    gauge: new Gauge({ name, help, labelNames: [...labelNames], registers: [registry] }),
    bounds: new Map(labelNames.map((label) => [label, createLabelBound(VALUES)])),
    samples,
  }));
  return {
    text: async (levels) => {
      // What is set stands until all of it is set anew, without a pause between: scrapes may overlap.
      up.set(levels === null ? 0 : 1);
      if (levels !== null) {
        for (const { gauge, bounds, samples } of gauges) {
          gauge.reset();
          for (const { labels = {}, value } of samples(levels)) {
            const bounded = Object.entries(labels).map(([label, text]) => [label, bounds.get(label)?.(text)]);
            gauge.inc(Object.fromEntries(bounded), value);
          }
        }
      }
      return `${await isUp.metrics()}\n${levels === null ? "" : await registry.metrics()}`;
    },
  };
}
