import { expect, it } from "vitest";
import { answeredAtMs } from "../../../src/app/agents/reports/observe-reports.ts";

const told = (...looks: readonly (string | null)[]) => looks.map((look) => ({ content: { look } }));

it.each([
  ["what was asked last", 500, told("500"), 500],
  ["an older question: it was looked then, not now", 500, told("400"), 400],
  ["the oldest of several containers", 500, told("500", "300"), 300],
  ["no later than was asked, whatever it says", 500, told("9000"), 500],
  ["nothing, where one has not looked", 500, told("500", null), null],
  ["nothing, where it makes no sense", 500, told("soon"), null],
  ["nothing, where nobody asked", null, told("500"), null],
])("an agent answers %s", (_what, reportRequestedAtMs, reports, expected) => {
  expect(answeredAtMs({ reportRequestedAtMs }, reports)).toBe(expected);
});
