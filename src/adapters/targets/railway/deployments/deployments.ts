/**
 * What deployments say about an activation. Pure: one pass over what a poll has seen.
 *
 * What serves decides: when every active deployment is newer than the request, ours has won, whatever became of a
 * still newer one that does not serve. Otherwise the newest tells how far it got.
 */

import type { ActivationProgress, FollowedActivation } from "../../../../core/ports/activator.ts";
import type { RunningAnswer } from "../../../../core/ports/running.ts";
import { visibleLine } from "../../../../lib/visible-text.ts";
import type { Deployment, UnitDeployments } from "../wire/answers.ts";

const IN_PROGRESS = new Set(["INITIALIZING", "QUEUED", "BUILDING", "DEPLOYING", "WAITING"]);
const GONE = new Set(["REMOVED", "REMOVING", "SKIPPED"]);
const SERVING = new Set(["SUCCESS", "SLEEPING"]);

type Seen = Pick<UnitDeployments, "latestDeployment" | "activeDeployments" | "cronSchedule">;

export type Verdict =
  | ActivationProgress
  /** It ended well as far as states tell; what it was started with must still be compared. */
  | { readonly state: "compare"; readonly deployment: Deployment };

export function judge(
  asked: Pick<FollowedActivation, "id" | "knownIds">,
  unit: UnitDeployments | undefined,
): Verdict {
  if (unit === undefined)
    return { state: "dormant", reason: "the service is not part of this environment any more" };
  const fresh = freshOnes(unit, asked.knownIds);
  const [newest] = fresh;
  if (newest === undefined) {
    if (asked.id === null) return { state: "not-started", reason: "no deployment newer than the request" };
    return { state: "running", id: asked.id, reason: "Railway does not list the deployment yet" };
  }
  const isFresh = new Set(fresh.map(({ id }) => id));
  const [serving, ...others] = unit.activeDeployments;
  if (serving !== undefined && others.length === 0 && isFresh.has(serving.id) && SERVING.has(serving.status))
    return judgeServing(serving, unit);
  return judgeNewest(newest, unit, { asked: asked.id, isFresh });
}

/** The only active deployment is ours or newer. */
function judgeServing(
  serving: Deployment,
  { cronSchedule }: Seen,
): Extract<Verdict, { readonly state: "compare" | "running" }> {
  const { id, status, instances, deploymentStopped } = serving;
  // Asleep, a job that has ended, or a cron service between two runs: nothing is meant to run now.
  if (status === "SLEEPING" || deploymentStopped || cronSchedule !== null)
    return { state: "compare", deployment: serving };
  const waiting = instances.filter((instance) => instance.status !== "RUNNING");
  if (waiting.length === 0 && instances.length > 0) return { state: "compare", deployment: serving };
  return {
    state: "running",
    id,
    reason: `${waiting.length} of ${instances.length} instances do not run yet`,
  };
}

function judgeNewest(
  newest: Deployment,
  unit: Seen,
  { asked, isFresh }: { readonly asked: string | null; readonly isFresh: ReadonlySet<string> },
): Verdict {
  const { id, status } = newest;
  if (IN_PROGRESS.has(status)) return { state: "running", id, reason: `the deployment is ${status}` };
  switch (status) {
    case "NEEDS_APPROVAL":
      return { state: "blocked", id, reason: "the deployment waits for a person's approval at Railway" };
    case "FAILED":
      return { state: "failed", id, reason: "the deployment failed; what served before keeps serving" };
    case "CRASHED":
      return { state: "failed", id, reason: "the deployment crashed" };
    case "SKIPPED":
      // Somebody else's, for example a push that touched nothing watched: it says nothing about ours.
      return asked === null || asked === id
        ? { state: "failed", id, reason: "Railway skipped the deployment" }
        : { state: "running", id: asked, reason: "Railway lists a newer deployment, which it skipped" };
    case "REMOVED":
    case "REMOVING":
      return { state: "outdated", id, reason: "the deployment was removed" };
    case "SUCCESS":
    case "SLEEPING":
      return { state: "running", id, reason: whyNotAlone(unit, isFresh) };
    default:
      return {
        state: "running",
        id,
        reason: `the deployment is in a state that this release does not know (${visibleLine(status.slice(0, 40))})`,
      };
  }
}

function whyNotAlone({ activeDeployments }: Seen, isFresh: ReadonlySet<string>): string {
  if (activeDeployments.length === 0) return "Railway does not list the deployment as active yet";
  return activeDeployments.some(({ id }) => !isFresh.has(id))
    ? "an older deployment is still active"
    : "several deployments are active at once";
}

/** Newest first: not known before the request, and not older than any that was. All times are Railway's own. */
function freshOnes(unit: Seen, knownIds: readonly string[]): readonly Deployment[] {
  const all = newestFirst(unit);
  const newestKnown = all.find(({ id }) => knownIds.includes(id));
  const since = newestKnown === undefined ? Number.NEGATIVE_INFINITY : Date.parse(newestKnown.createdAt);
  return all.filter(({ id, createdAt }) => !knownIds.includes(id) && Date.parse(createdAt) >= since);
}

export function newestFirst(
  unit: Pick<Seen, "latestDeployment" | "activeDeployments">,
): readonly Deployment[] {
  const all = new Map(unit.activeDeployments.map((one) => [one.id, one]));
  if (unit.latestDeployment !== null) all.set(unit.latestDeployment.id, unit.latestDeployment);
  return [...all.values()].sort((left, right) => Date.parse(right.createdAt) - Date.parse(left.createdAt));
}

export function isInProgress({ status }: Deployment): boolean {
  return IN_PROGRESS.has(status) || status === "NEEDS_APPROVAL";
}

export type Serving =
  /** Whoever starts a process of the unit starts it with what this deployment was made with. */
  | { readonly state: "serving"; readonly deployment: Deployment }
  | Exclude<RunningAnswer, { readonly state: "running" }>;

/** What serves now, whoever asked for it; a cron service and one asleep serve with the next process. */
export function servingNow(unit: Seen | undefined): Serving {
  if (unit === undefined || isDormant(unit)) return { state: "dormant" };
  const [newest] = newestFirst(unit);
  if (newest !== undefined && IN_PROGRESS.has(newest.status))
    return { state: "changing", reason: `a deployment is ${newest.status}` };
  const [deployment, ...others] = unit.activeDeployments;
  if (deployment === undefined)
    return { state: "cannot-tell", reason: "Railway lists no deployment as active" };
  if (others.length > 0) return { state: "changing", reason: "several deployments are active at once" };
  if (!SERVING.has(deployment.status))
    return {
      state: "cannot-tell",
      reason: `the deployment is ${visibleLine(deployment.status.slice(0, 40))}`,
    };
  const verdict = judgeServing(deployment, unit);
  if (verdict.state === "running") return { state: "changing", reason: verdict.reason };
  return { state: "serving", deployment };
}

/**
 * Never deployed, removed, stopped, or a job that ran to its end: values are stored, and nothing is woken. A crashed
 * or failed service should have a process, and a cron service uses its deployment's variables: both are redeployed.
 */
export function isDormant(unit: Seen): boolean {
  const all = newestFirst(unit).filter(({ status }) => !GONE.has(status));
  if (unit.cronSchedule !== null) return all.length === 0;
  return all.every(
    ({ status, deploymentStopped }) => SERVING.has(status) && status !== "SLEEPING" && deploymentStopped,
  );
}
