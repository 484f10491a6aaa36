import { describe, expect, it } from "vitest";
import { alertableOf } from "../../../src/core/alerts/alertable.ts";
import { diagnose } from "../../../src/core/doctor/diagnose.ts";
import type { ValueFacts } from "../../../src/core/doctor/facts.ts";
import { factsOf, NOW } from "./build.ts";

const WELL: ValueFacts = {
  away: null,
  troubled: [],
  owed: { count: 0, errorCode: null },
  strangers: 0,
  unknownStore: 0,
};
const findings = (values: Partial<ValueFacts>) =>
  diagnose(factsOf({ bindings: [], itself: { values: { ...WELL, ...values } } }));

describe("what doctor says of values that are kept elsewhere", () => {
  it("nothing, while nothing is wrong there", () => {
    expect(findings({})).toEqual([]);
  });

  it("each value that somebody changed, once, with what repairs it, and wakes a person for each", () => {
    const about = { secret: "AUTH", environment: "production" } as const;
    const found = findings({
      troubled: [
        { ...about, version: 3, trouble: "changed" },
        { ...about, version: 4, trouble: "deleted" },
      ],
    });
    expect(found).toMatchObject([
      { id: "value-changed", severity: "wrong", command: "lockstep secret set AUTH" },
      { id: "value-changed", severity: "wrong", cause: expect.stringContaining("undelete") },
    ]);
    const alerts = found.flatMap(alertableOf);
    expect(new Set(alerts.map(({ identity }) => identity.join())).size).toBe(2);
  });

  it("that the store could not be asked, and that it goes on by itself", () => {
    const [one, ...others] = findings({ away: { since: NOW, reason: "Cannot read: it is sealed." } });
    expect(one).toMatchObject({ id: "value-store-away", severity: "wrong", command: null });
    expect(one?.cause).toMatch(/it is sealed\. .*by itself/);
    expect(others).toEqual([]);
  });

  it.each([
    [{ owed: { count: 2, errorCode: "VALUE_STORE_REFUSED" } }, "value-removal-owed", "hint"],
    [{ strangers: 1 }, "value-strangers", "wrong"],
    [{ unknownStore: 3 }, "value-store-unknown", "wrong"],
  ] as const)("%j", (facts, id, severity) => {
    expect(findings(facts)).toMatchObject([{ id, severity }]);
  });
});
