/** What is wrong with Lockstep itself: its clock, its quotas, its own tokens, its keys, its ways to people, its queue. Pure. */
import { ageText, durationText } from "../../lib/age.ts";
import { shellCommand } from "../../lib/shell-quote.ts";
import { BEGIN_EPOCH, type SetBack, setBackText } from "../set-back.ts";
import type { DoctorFacts } from "./facts.ts";
import { type Finding, ITSELF } from "./finding.ts";
import { ofKeys } from "./key-ring-finding.ts";
import { ofSpace } from "./space-finding.ts";
import { ofValueStore } from "./value-finding.ts";
import { ofVaultToken } from "./vault-token-finding.ts";

/** Leases, windows and the ends of tokens are counted in seconds. */
const CLOCKS_DIFFER_MS = 5_000;

/** Three times the longest pause between two looks at a place that is there. */
const CHECKS_LATE_MS = 15 * 60_000;

/** Alone: whatever else was said would be said from what is from before. */
export function ofSetBack(setBack: SetBack): Finding {
  return {
    ...ITSELF,
    id: "store-set-back",
    severity: "wrong",
    what: `This store was set back, or a copy of it runs elsewhere: ${setBackText(setBack)}.`,
    cause:
      "What it would write may be older than what the places hold. Therefore it only reads: it pushes, rotates, renews, restarts and heals nothing, and agents keep what they have. Make sure that no other copy of it runs; `lockstep epoch` shows which place holds what.",
    command: BEGIN_EPOCH,
  };
}

export function ofLockstepItself(facts: DoctorFacts): readonly Finding[] {
  return [
    ...clock(facts),
    ...budgets(facts),
    ...ownTokens(facts),
    ...ofKeys(facts),
    ...checksLate(facts),
    ...ofSpace(facts),
    ...ofValueStore(facts),
    ...ofVaultToken(facts),
    ...channels(facts),
    ...queue(facts),
  ];
}

function clock({ clockSkewMs }: DoctorFacts): readonly Finding[] {
  if (Math.abs(clockSkewMs) < CLOCKS_DIFFER_MS) return [];
  const way = clockSkewMs > 0 ? "ahead of" : "behind";
  return [
    {
      ...ITSELF,
      id: "clock",
      severity: "wrong",
      what: `The store's clock is ${durationText(Math.abs(clockSkewMs))} ${way} this server's.`,
      cause:
        "One of the two clocks is wrong, and with it ages, schedules and the ends of tokens. Let both machines set their time by NTP (chrony, systemd-timesyncd).",
      command: null,
    },
  ];
}

/** The rest is for pushes: nobody looks until the window ends. */
function budgets({ lowBudgets }: DoctorFacts): readonly Finding[] {
  return lowBudgets.map(({ kind, remaining, limit, endsInMs }) => ({
    ...ITSELF,
    key: kind,
    id: "budget-low",
    severity: "cannot-tell",
    what: `Of a ${kind} token's ${limit} requests ${remaining} are left for the next ${durationText(endsInMs)}.`,
    cause:
      "Lockstep keeps the rest for pushes, and does not check places until then. Another program may use the same token: give Lockstep a token of its own.",
    command: null,
  }));
}

function ownTokens({ endingTokens, now }: DoctorFacts): readonly Finding[] {
  return endingTokens.map(({ name, endsAt }) => ({
    ...ITSELF,
    // Two of them are two things.
    key: name,
    id: "own-token-ends",
    severity: "hint",
    what: `Lockstep's own API token "${name}" ends in ${durationText(Math.max(0, endsAt.getTime() - now.getTime()))}.`,
    cause: "From then on, Lockstep refuses whoever uses it.",
    command: shellCommand(["lockstep", "token", "list"]),
  }));
}

/** Whoever would tell of it is who does not run: only who asks hears of it. */
function checksLate({ checksLateMs }: DoctorFacts): readonly Finding[] {
  if (checksLateMs < CHECKS_LATE_MS) return [];
  return [
    {
      ...ITSELF,
      id: "checks-late",
      severity: "wrong",
      what: `A place should have been checked ${durationText(checksLateMs)} ago, and was not: nobody notices drift, and no alert is sent.`,
      cause:
        "No worker runs, or the workers have more work than they can do. Start one with `lockstep worker`, or `lockstep up`.",
      command: null,
    },
  ];
}

function channels({ mutedChannels, now }: DoctorFacts): readonly Finding[] {
  return mutedChannels.map(({ name, reason, since }) => ({
    ...ITSELF,
    id: "alerts-not-delivered",
    severity: "wrong",
    what: `Alerts do not arrive through "${name}", since ${ageText(since.toISOString(), now)}.`,
    cause: reason,
    command: shellCommand(["lockstep", "alert", "test", name]),
  }));
}

function queue({ queueAway, queueTrouble = null }: DoctorFacts): readonly Finding[] {
  if (queueAway) {
    const why =
      queueTrouble === null ? "" : `${queueTrouble.what[0]?.toUpperCase()}${queueTrouble.what.slice(1)}. `;
    const remedy = queueTrouble?.remedy ?? "Check REDIS_URL, or Postgres where it carries the queue.";
    return [
      {
        ...ITSELF,
        id: "queue-away",
        severity: "hint",
        what: queueTrouble === null ? "The queue does not answer." : "The queue accepts no work.",
        cause: `${why}Workers find their work in the store instead, a few seconds later; nothing is lost. ${remedy}`,
        command: null,
      },
    ];
  }
  if (queueTrouble === null) return [];
  return [
    {
      ...ITSELF,
      id: "queue-may-lose-jobs",
      severity: "hint",
      what: "The queue answers, but may lose jobs.",
      cause: `${queueTrouble.what}. Workers then find the work in the store, a few seconds later; nothing is lost. ${queueTrouble.remedy}`,
      command: null,
    },
  ];
}
