/** Which findings wake a person. */
import { describe, expect, it } from "vitest";
import { alertableOf } from "../../../src/core/alerts/alertable.ts";
import { FINDING_IDS, type Finding, SEVERITIES } from "../../../src/core/doctor/finding.ts";

const finding = (more: Partial<Finding>): Finding => ({
  id: "hand-edit",
  severity: "wrong",
  secret: "AUTH",
  target: "api",
  key: "AUTH",
  placement: "",
  environment: "production",
  what: "what",
  cause: "cause",
  consequence: ["consequence"],
  command: null,
  ...more,
});

describe("a finding", () => {
  it("wakes somebody where something is wrong, and where it soon will be", () => {
    const woken = FINDING_IDS.flatMap((id) =>
      SEVERITIES.filter((severity) => alertableOf(finding({ id, severity })).length > 0).map(
        (severity) => `${severity} ${id}`,
      ),
    );
    const beforehand = woken.filter((one) => !one.startsWith("wrong "));
    expect(new Set(beforehand.map((one) => one.split(" ")[1]))).toEqual(
      new Set(["agent-away", "unreachable", "budget-low", "own-token-ends", "disk-full-soon"]),
    );
    expect(FINDING_IDS.filter((id) => !woken.includes(`wrong ${id}`))).toEqual([
      "token-expired",
      "token-not-renewed",
      "alerts-not-delivered",
    ]);
  });

  it("about another thing is another alert, and about the same thing the same", () => {
    const identity = (more: Partial<Finding>) => JSON.stringify(alertableOf(finding(more))[0]?.identity);
    expect(identity({ what: "now" })).toBe(identity({ what: "later", cause: "and worse" }));
    for (const more of [{ target: "web" }, { secret: "OTHER" }, { key: "B" }, { environment: "staging" }])
      expect(identity(more)).not.toBe(identity({}));
  });

  it("says what it is about, and of nothing in particular that it is Lockstep itself", () => {
    const [about] = alertableOf(finding({}));
    expect(about).toMatchObject({ about: "AUTH at api", message: "what cause consequence", remedy: "" });
    const itself = { secret: null, target: null, command: "lockstep token list" };
    expect(alertableOf(finding({ ...itself, id: "clock" }))).toMatchObject([
      { about: "Lockstep", remedy: "lockstep token list" },
    ]);
  });
});
