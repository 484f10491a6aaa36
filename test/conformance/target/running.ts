/** What the living process holds is found out by looking, and by nothing else: not by what is stored beside it. */
import { describe, expect, it } from "vitest";
import type { UnitSpec } from "../../../src/core/ports/place.ts";
import type { RunningAnswer, RunningKeyQuestion } from "../../../src/core/ports/running.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { itWhere } from "../../support/it-where.ts";
import { expectSilent, order, soon, useKit } from "./kit.ts";
import { CANARY, type TargetConformance } from "./place.ts";

export function runningConformance(conformance: TargetConformance): void {
  describe("what runs", () => {
    const kit = useKit(conformance);
    const itRuns = itWhere(conformance.showsRunning === true);

    const question = (key: string, versions: Readonly<Record<number, string>>): RunningKeyQuestion => ({
      ...kit.place.address(key),
      candidates: new Map(
        Object.entries(versions).map(([version, value]) => [Number(version), SecretValue.of(value)]),
      ),
    });

    async function onlyUnit(): Promise<UnitSpec> {
      const { units } = await kit.target.observe([kit.place.address("KEY")], soon());
      const [unit] = units;
      if (unit === undefined) throw new Error("it has no unit for a key that it holds");
      return unit;
    }

    async function startWith(values: Readonly<Record<string, string>>, generation = 1): Promise<void> {
      const { activator } = kit.target;
      if (activator === null) throw new Error("nothing restarts, so nothing can be seen running");
      const change = kit.set(values);
      await kit.apply(change, order(generation));
      const unit = await onlyUnit();
      const { knownIds } = await activator.prepare(unit, soon());
      const { id } = await activator.activate(unit, soon());
      const asked = { unit, id, knownIds, requestedAgoMs: 0, expected: change.set };
      const limit = soon();
      for (;;) {
        const [progress] = await activator.follow([asked], limit);
        if (progress?.state === "succeeded") return;
        if (progress?.state !== "running") throw new Error(`it ended as ${progress?.state}`);
        if (limit.aborted) throw new Error(`it still runs: ${progress.reason}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }

    async function look(...keys: readonly RunningKeyQuestion[]): Promise<RunningAnswer> {
      const [answer] = (await kit.target.running?.observe([{ unit: await onlyUnit(), keys }], soon())) ?? [];
      if (answer === undefined) throw new Error("no answer for what was asked");
      return answer;
    }

    /** Waits until whatever was replaced is gone. */
    async function onlyLife(...keys: readonly RunningKeyQuestion[]) {
      const limit = soon();
      for (;;) {
        const answer = await look(...keys);
        const [life, ...others] = answer.state === "running" ? answer.instances : [];
        if (life !== undefined && others.length === 0) return life;
        if (limit.aborted) throw new Error(`the last look still answered ${JSON.stringify(answer)}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }

    it("is claimed exactly where it can be seen", () => {
      const claims = ["running", "proven"].includes(kit.capabilities.maxEvidence);
      expect(kit.target.running !== undefined).toBe(claims);
      expect(claims).toBe(conformance.showsRunning === true);
    });

    itRuns("is the version that it was started with", async () => {
      await startWith({ KEY: "new" });
      const life = await onlyLife(question("KEY", { 1: "old", 2: "new" }));
      expect(life.keys).toEqual([{ state: "version", version: 2 }]);
      expect(JSON.parse(JSON.stringify(life.incarnation))).toEqual(life.incarnation);
    });

    itRuns("is the old version after a change by hand, until it is restarted", async () => {
      const versions = { 1: "old", 2: "new" };
      await startWith({ KEY: "old" });
      await kit.place.put("KEY", "new");
      const before = await onlyLife(question("KEY", versions));
      expect(before.keys).toEqual([{ state: "version", version: 1 }]);
      expect((await onlyLife(question("KEY", versions))).id).toBe(before.id);
      await startWith({ KEY: "new" }, 2);
      const after = await onlyLife(question("KEY", versions));
      expect(after.keys).toEqual([{ state: "version", version: 2 }]);
      expect(after.id).not.toBe(before.id);
    });

    itRuns("is unknown where no version fits, and the newest of equal ones", async () => {
      await startWith({ KEY: CANARY });
      const life = await onlyLife(question("KEY", { 1: "old" }), question("KEY", { 3: CANARY, 1: CANARY }));
      expect(life.keys).toEqual([{ state: "unknown" }, { state: "version", version: 3 }]);
      expectSilent(JSON.stringify(life));
    });

    itRuns("has a key only if it was started with it", async () => {
      await startWith({ KEY: "one" });
      await kit.place.put("KEY_LATER", "two");
      const life = await onlyLife(question("KEY_LATER", { 1: "two" }), question("KEY", { 1: "one" }));
      const [later, key] = life.keys;
      expect(["absent", "unreadable"]).toContain(later?.state);
      expect(key).toEqual({ state: "version", version: 1 });
    });

    itRuns("is told question by question, in the order asked", async () => {
      await startWith({ KEY: "one" });
      const one = { unit: await onlyUnit(), keys: [question("KEY", { 1: "one" })] };
      const other = { ...one, keys: [] };
      const answers = (await kit.target.running?.observe([other, one], soon())) ?? [];
      expect(
        answers.map((answer) => (answer.state === "running" ? answer.instances[0]?.keys.length : null)),
      ).toEqual([0, 1]);
      expect(await kit.target.running?.observe([], soon())).toEqual([]);
    });
  });
}
