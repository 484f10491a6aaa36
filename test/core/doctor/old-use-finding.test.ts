import { describe, expect, it } from "vitest";
import { diagnose } from "../../../src/core/doctor/diagnose.ts";
import type { BindingFacts } from "../../../src/core/doctor/facts.ts";
import { ago, factsOf, healthyBinding } from "./build.ts";

const settling = (minutes: number | null) => ({
  id: "r1",
  state: "running" as const,
  reason: null,
  from: 4,
  settlingSince: minutes === null ? null : ago(minutes),
});
const findings = (
  oldUse: BindingFacts["oldUse"],
  { rollout = settling(60), caller = {} }: { rollout?: ReturnType<typeof settling>; caller?: object } = {},
) =>
  diagnose(
    factsOf({
      bindings: [
        healthyBinding("api", { role: "verifier", oldUse }),
        healthyBinding("worker", { role: "caller", ...caller }),
      ],
      secret: { rollout },
    }),
  );

describe("the value before, used although every known caller has left it", () => {
  it("is told, with who says to be it, and how to find it", () => {
    expect(findings({ at: ago(3), callers: ["cron-job", "other"] })).toMatchObject([
      {
        id: "old-value-used",
        severity: "hint",
        target: "api",
        what: "Somebody still calls api with v4 of INTERNAL_AUTH_SECRET (3 min ago, calling itself cron-job and other); every known caller sends v5.",
        command: "lockstep discover",
      },
    ]);
    expect(findings({ at: ago(1), callers: [] })[0]?.what).toContain("without saying who it is");
  });

  it.each([
    ["nobody used it", null, {}],
    ["what was under way when the last one left", { at: ago(57), callers: [] }, {}],
    ["callers are still moving", { at: ago(1), callers: [] }, { rollout: settling(null) }],
  ])("is nothing to tell of: %s", (_name, oldUse, more) => {
    expect(findings(oldUse, more)).toEqual([]);
  });

  it("is not told of a stranger while a known caller lags behind", () => {
    const caller = { state: "stale", version: 4 };
    expect(findings({ at: ago(1), callers: [] }, { caller }).map(({ id }) => id)).toEqual(["stale-copy"]);
  });
});
