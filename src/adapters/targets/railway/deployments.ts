/** What deployments say about an activation. Pure: one pass over what a poll has seen. */
import type { ActivationProgress, FollowedActivation } from "../../../core/ports/target.ts";
import type { Deployment, UnitDeployments } from "./answers.ts";

const IN_PROGRESS = new Set(["INITIALIZING", "QUEUED", "BUILDING", "DEPLOYING", "WAITING"]);
const GONE = new Set(["REMOVED", "REMOVING"]);

export type Verdict =
  | ActivationProgress
  /** It ended well as far as states tell; what it was started with must still be compared. */
  | { readonly state: "compare"; readonly deployment: Deployment };

/** Whatever is not among the known ids is ours or newer, also when the answer to our request got lost. */
export function judge(
  asked: Pick<FollowedActivation, "id" | "knownIds">,
  unit: UnitDeployments | undefined,
): Verdict {
  if (unit === undefined)
    return { state: "dormant", reason: "the service is not part of this environment any more" };
  const all = newestFirst(unit);
  const fresh = all.filter(({ id }) => !asked.knownIds.includes(id));
  const live = fresh.filter(({ status }) => !GONE.has(status));
  const ours = live[0] ?? fresh[0];
  if (ours === undefined) {
    if (asked.id !== null)
      return { state: "running", id: asked.id, reason: "Railway does not list the deployment yet" };
    return { state: "not-started", reason: "no deployment newer than the request" };
  }
  return judgeDeployment(ours, unit, asked.knownIds);
}

function judgeDeployment(ours: Deployment, unit: UnitDeployments, knownIds: readonly string[]): Verdict {
  const { id, status } = ours;
  if (IN_PROGRESS.has(status)) return { state: "running", id, reason: `the deployment is ${status}` };
  switch (status) {
    case "NEEDS_APPROVAL":
      return { state: "blocked", id, reason: "the deployment waits for a person's approval at Railway" };
    case "FAILED":
      return {
        state: "failed",
        id,
        reason: "the deployment failed; the previous one keeps serving with the older values",
      };
    case "CRASHED":
      return { state: "failed", id, reason: "the deployment crashed" };
    case "SKIPPED":
      return { state: "failed", id, reason: "Railway skipped the deployment" };
    case "REMOVED":
    case "REMOVING":
      return { state: "outdated", id, reason: "the deployment was removed" };
    case "SUCCESS":
    case "SLEEPING":
      return judgeSettled(ours, unit, knownIds);
    default:
      return {
        state: "running",
        id,
        reason: `the deployment is in a state that this release does not know (${status.slice(0, 40)})`,
      };
  }
}

function judgeSettled(ours: Deployment, unit: UnitDeployments, knownIds: readonly string[]): Verdict {
  const older = unit.activeDeployments.filter(({ id }) => knownIds.includes(id));
  if (older.length > 0)
    return { state: "running", id: ours.id, reason: "an older deployment is still active" };
  const resting = ours.status === "SLEEPING" || ours.deploymentStopped;
  const waiting = ours.instances.filter(({ status }) => status !== "RUNNING" && status !== "REMOVED");
  if (!resting && waiting.length > 0) {
    return {
      state: "running",
      id: ours.id,
      reason: `${waiting.length} of ${ours.instances.length} instances do not run yet`,
    };
  }
  return { state: "compare", deployment: ours };
}

export function newestFirst(
  unit: Pick<UnitDeployments, "latestDeployment" | "activeDeployments">,
): readonly Deployment[] {
  const all = new Map(unit.activeDeployments.map((one) => [one.id, one]));
  if (unit.latestDeployment !== null) all.set(unit.latestDeployment.id, unit.latestDeployment);
  return [...all.values()].sort((left, right) => Date.parse(right.createdAt) - Date.parse(left.createdAt));
}

/** Never deployed, stopped or removed: values are stored, nothing is woken. */
export function isDormant(unit: Pick<UnitDeployments, "latestDeployment" | "activeDeployments">): boolean {
  const { latestDeployment, activeDeployments } = unit;
  if (latestDeployment === null) return true;
  return (
    activeDeployments.length === 0 &&
    (GONE.has(latestDeployment.status) || latestDeployment.deploymentStopped)
  );
}

/** Null when the snapshot holds what is expected; otherwise why not, without a value. */
export function whyOutdated(
  snapshot: Readonly<Record<string, string | null>> | null,
  expected: FollowedActivation["expected"],
): string | null {
  if (snapshot === null) return "Railway keeps no snapshot of what the deployment was started with";
  for (const { key, value } of expected) {
    const started = Object.hasOwn(snapshot, key) ? snapshot[key] : undefined;
    if (started === undefined) return `the deployment was started without ${key}`;
    // Sealed or referring: its presence is all that can be seen.
    if (started === null || started.includes("${{")) continue;
    if (started !== value.reveal()) return `the deployment was started with another value of ${key}`;
  }
  return null;
}
