import { describe, expect, it } from "vitest";
import { judgeObservation, type Observation } from "../../../src/core/rollout/judge-observation.ts";
import { accepted, refused } from "./members.ts";

const look = (changes: Partial<Observation> = {}): Observation => ({
  wrong: null,
  readBack: true,
  running: null,
  acceptance: new Map(),
  isReported: false,
  held: [1, 2],
  ...changes,
});
const both = new Map([
  [1, accepted],
  [2, accepted],
]);

describe("what a look means", () => {
  it.each([
    [
      "something else stands there",
      "proven",
      look({ wrong: "it holds nothing" }),
      { evidence: null, lacks: true },
    ],
    ["what was changed by hand is back", null, look(), { evidence: "stored", lacks: false }],
    ["nobody could read it", null, look({ readBack: false }), { evidence: null, lacks: false }],
    [
      "a process holds less",
      "running",
      look({ running: { state: "lacks", reason: "v1" } }),
      { evidence: "stored", lacks: true },
    ],
    [
      "a restart is under way",
      "proven",
      look({ running: { state: "changing", reason: "" }, acceptance: both }),
      { evidence: "stored", lacks: false },
    ],
    [
      "rights were lost",
      "running",
      look({ running: { state: "unseen", reason: "no rights" } }),
      { evidence: "deployed", lacks: false },
    ],
    [
      "the process holds it",
      "deployed",
      look({ running: { state: "right" } }),
      { evidence: "running", lacks: false },
    ],
    [
      "it accepts all that it holds",
      "deployed",
      look({ acceptance: both }),
      { evidence: "proven", lacks: false },
    ],
    [
      "its process says that it accepts all that it holds",
      "deployed",
      look({ acceptance: both, isReported: true }),
      { evidence: "running", lacks: false },
    ],
    [
      "it refuses one",
      "deployed",
      look({
        acceptance: new Map([
          [1, accepted],
          [2, refused],
        ]),
      }),
      { evidence: "deployed", reason: "it refuses v2 (answered 401)" },
    ],
    [
      "it was not asked about one",
      "deployed",
      look({ acceptance: new Map([[1, accepted]]) }),
      { evidence: "deployed", reason: "cannot tell whether it accepts v2" },
    ],
    ["a proof was of another moment", "proven", look(), { evidence: "deployed" }],
    [
      "nothing runs there",
      "stored",
      look({ running: { state: "dormant" } }),
      { evidence: "stored", lacks: false },
    ],
  ] as const)("%s", (_what, before, seen, expected) => {
    expect(judgeObservation(before, seen)).toMatchObject(expected);
  });
});
