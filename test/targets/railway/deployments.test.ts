import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isDormant, judge } from "../../../src/adapters/targets/railway/deployments/deployments.ts";
import type { Deployment, UnitDeployments } from "../../../src/adapters/targets/railway/wire/answers.ts";

let clock = 0;
const made = (id: string, status: string, more: Partial<Deployment> = {}): Deployment => {
  clock += 1;
  return {
    id,
    status,
    createdAt: new Date(clock * 1_000).toISOString(),
    canRedeploy: true,
    deploymentStopped: false,
    instances: [{ id: `${id}-1`, status: "RUNNING" }],
    ...more,
  };
};
const unit = (
  latestDeployment: Deployment | null,
  activeDeployments: readonly Deployment[],
  cronSchedule: string | null = null,
): UnitDeployments => ({
  serviceId: "s",
  serviceName: "api",
  cronSchedule,
  latestDeployment,
  activeDeployments: [...activeDeployments],
});
const asked = { id: "ours", knownIds: ["old"] };
const NONE: Deployment["instances"] = [];
const replica = (status: string) => ({ instances: [{ id: "1", status }] });

describe("what deployments say about an activation", () => {
  const old = made("old", "SUCCESS");

  it.each([
    ["ours alone is active", (o: Deployment) => unit(o, [o]), "SUCCESS", {}, "compare"],
    ["ours sleeps", (o: Deployment) => unit(o, [o]), "SLEEPING", replica("STOPPED"), "compare"],
    [
      "a replica is not there yet",
      (o: Deployment) => unit(o, [o]),
      "SUCCESS",
      replica("INITIALIZING"),
      "running",
    ],
    ["no replica is listed", (o: Deployment) => unit(o, [o]), "SUCCESS", { instances: NONE }, "running"],
    ["a replica restarts", (o: Deployment) => unit(o, [o]), "SUCCESS", replica("RESTARTING"), "running"],
    [
      "a job ran to its end",
      (o: Deployment) => unit(o, [o]),
      "SUCCESS",
      { deploymentStopped: true, ...replica("EXITED") },
      "compare",
    ],
    [
      "cron waits for its time",
      (o: Deployment) => unit(o, [o], "0 3 * * *"),
      "SUCCESS",
      replica("EXITED"),
      "compare",
    ],
    ["the old one serves beside it", (o: Deployment) => unit(o, [o, old]), "SUCCESS", {}, "running"],
    ["it is not listed as active yet", (o: Deployment) => unit(o, []), "SUCCESS", {}, "running"],
    ["it is being built", (o: Deployment) => unit(o, [old]), "BUILDING", {}, "running"],
    ["it waits for CI", (o: Deployment) => unit(o, [old]), "WAITING", {}, "running"],
    ["it waits for a person", (o: Deployment) => unit(o, [old]), "NEEDS_APPROVAL", {}, "blocked"],
    ["it failed, the old one serves", (o: Deployment) => unit(o, [old]), "FAILED", {}, "failed"],
    ["it crashed", (o: Deployment) => unit(o, []), "CRASHED", {}, "failed"],
    ["it was skipped", (o: Deployment) => unit(o, [old]), "SKIPPED", {}, "failed"],
    ["it was removed", (o: Deployment) => unit(o, []), "REMOVED", {}, "outdated"],
    ["a status that nobody knows", (o: Deployment) => unit(o, [o]), "TELEPORTING", {}, "running"],
  ] as const)("%s", (_what, place, status, more, state) => {
    expect(judge(asked, place(made("ours", status, more))).state).toBe(state);
  });

  it("a newer one that failed or was skipped does not matter while ours serves alone", () => {
    const ours = made("ours", "SUCCESS");
    for (const status of ["FAILED", "SKIPPED", "BUILDING", "NEEDS_APPROVAL"])
      expect(judge(asked, unit(made("theirs", status), [ours]))).toMatchObject({
        state: "compare",
        deployment: { id: "ours" },
      });
  });

  it("somebody else's skipped deployment says nothing about ours", () => {
    expect(judge(asked, unit(made("theirs", "SKIPPED"), [old])).state).toBe("running");
  });

  it("an older one that appears because a newer one was removed is not ours", () => {
    const ancient = { ...made("ancient", "SUCCESS"), createdAt: new Date(0).toISOString() };
    expect(judge({ id: null, knownIds: ["old"] }, unit(old, [ancient])).state).toBe("not-started");
  });

  it("nothing newer: not started, unless Railway already named it", () => {
    expect(judge({ id: null, knownIds: ["old"] }, unit(old, [old])).state).toBe("not-started");
    expect(judge(asked, unit(old, [old])).state).toBe("running");
    expect(judge(asked, undefined).state).toBe("dormant");
  });

  it("never holds an unfamiliar or unsettled state for success", () => {
    const settled = new Set(["SUCCESS", "SLEEPING"]);
    const status = fc.oneof(
      fc.string(),
      fc.constantFrom("BUILDING", "FAILED", "REMOVING", "SUCCESS", "SLEEPING", "CRASHED"),
    );
    fc.assert(
      fc.property(fc.array(status, { minLength: 1, maxLength: 3 }), fc.boolean(), (statuses, oldServes) => {
        const fresh = statuses.map((one, at) => made(at === 0 ? "ours" : `newer-${at}`, one));
        const active = oldServes ? [...fresh, old] : fresh;
        const verdict = judge(asked, unit(fresh.at(-1) ?? null, active));
        if (verdict.state === "compare") {
          expect(active).toHaveLength(1);
          expect(settled.has(verdict.deployment.status)).toBe(true);
        }
        expect(verdict.state).not.toBe("succeeded");
      }),
    );
  });
});

describe("a unit that must not be woken", () => {
  it.each([
    ["never deployed", unit(null, []), true],
    ["removed", unit(made("a", "REMOVED"), []), true],
    ["skipped before it ever ran", unit(made("a", "SKIPPED"), []), true],
    ["a job that ended", unit(made("a", "SUCCESS", { deploymentStopped: true }), []), true],
    ["serving", unit(made("a", "SUCCESS"), []), false],
    ["asleep", unit(made("a", "SLEEPING", { deploymentStopped: true }), []), false],
    ["crashed", unit(made("a", "CRASHED", { deploymentStopped: true }), []), false],
    ["failed at its first deployment", unit(made("a", "FAILED"), []), false],
    ["being built", unit(made("a", "BUILDING"), []), false],
    ["cron between two runs", unit(made("a", "SUCCESS", { deploymentStopped: true }), [], "@daily"), false],
    ["cron that was never deployed", unit(null, [], "@daily"), true],
  ] as const)("%s: %#", (_what, seen, dormant) => {
    expect(isDormant(seen)).toBe(dormant);
  });
});
