import { expect, it } from "vitest";
import { diagnose } from "../../../src/core/doctor/diagnose.ts";
import type { Exposure } from "../../../src/core/ports/target.ts";
import { factsOf, healthyBinding, healthyTarget } from "./build.ts";

const findings = (exposure: Exposure, binding = {}) =>
  diagnose(
    factsOf({
      bindings: [healthyBinding("api", { key: "AUTH", ...binding }), healthyBinding("web", { key: "AUTH" })],
      targets: [healthyTarget("api", { exposures: [exposure] })],
    }),
  );

it("names the secrets that are given away, once for each place", () => {
  expect(findings({ to: "builds", except: ["OTHER"] })).toMatchObject([
    { id: "exposed-to-builds", target: "api", what: "Builds of api are given INTERNAL_AUTH_SECRET." },
  ]);
});

it("is silent about a key that is kept from them, and about one that holds nothing of ours yet", () => {
  expect(findings({ to: "pull-requests", except: ["AUTH"] })).toEqual([]);
  const unset = { wanted: null, settled: null, version: null, found: null };
  expect(findings({ to: "builds", except: [] }, unset)).toEqual([]);
});
