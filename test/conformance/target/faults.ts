/** Places that refuse, throttle, fall silent or lose answers; callers that give up. No error says what was sent. */
import { describe, expect, it } from "vitest";
import { itWhere } from "../../support/it-where.ts";
import { expectSilent, failure, order, soon, useKit } from "./kit.ts";
import { CANARY, type PlaceFault, type TargetConformance } from "./place.ts";

interface FaultCase {
  readonly fault: PlaceFault;
  readonly codes: readonly string[];
  readonly verdict: string;
  /** What may stand there afterwards. */
  readonly stands: readonly (string | null)[];
}

const WRITE_CASES: readonly FaultCase[] = [
  {
    fault: "refuses-write",
    codes: ["TARGET_REFUSED", "TARGET_PERMISSION", "FILE_UNSAFE", "TARGET_CREDENTIAL_REJECTED"],
    verdict: "never",
    stands: ["before"],
  },
  { fault: "throttles-write", codes: ["TARGET_RATE_LIMITED"], verdict: "at-retry-after", stands: ["before"] },
  {
    fault: "silent-on-write",
    codes: ["TARGET_OUTCOME_UNKNOWN"],
    verdict: "read-back",
    stands: ["before", CANARY],
  },
  {
    fault: "loses-answer-to-write",
    codes: ["TARGET_OUTCOME_UNKNOWN"],
    verdict: "read-back",
    stands: [CANARY],
  },
  {
    fault: "is-gone",
    codes: ["TARGET_UNREACHABLE", "TARGET_UNAVAILABLE", "TARGET_OUTCOME_UNKNOWN"],
    verdict: "later",
    stands: ["before"],
  },
];

export function faultConformance(conformance: TargetConformance): void {
  const can = (fault: PlaceFault) => conformance.cannot?.[fault] === undefined;
  describe("when the place misbehaves", () => {
    const kit = useKit(conformance);

    for (const { fault, codes, verdict, stands } of WRITE_CASES) {
      itWhere(can(fault))(`${fault}: a write says so, and nothing of what it sent`, async () => {
        await kit.apply(kit.set({ KEY: "before" }), order(1));
        await kit.place.fault(fault);
        const error = await failure(kit.apply(kit.set({ KEY: CANARY }), order(2)));
        expect(codes).toContain(error.code);
        if (error.code !== "TARGET_OUTCOME_UNKNOWN") expect(error.verdict).toBe(verdict);
        if (fault === "throttles-write") expect(error.retryAfterMs).toBeGreaterThan(0);
        if (fault !== "is-gone") expect(stands).toContain(await kit.place.stored("KEY"));
      });
    }

    itWhere(can("silent-on-read"))("a read without an answer is for later, not an absence", async () => {
      await kit.place.fault("silent-on-read");
      expect((await failure(kit.observe("KEY"))).verdict).toBe("later");
    });

    itWhere(can("loses-answer-to-write"))("a write whose answer was lost may be repeated", async () => {
      await kit.place.fault("loses-answer-to-write");
      await failure(kit.apply(kit.set({ KEY: CANARY }), order(1)));
      await kit.apply(kit.set({ KEY: CANARY }), order(1));
      expect(await kit.value("KEY")).toBe(CANARY);
    });

    it("sends nothing once its time is over", async () => {
      const before = await kit.place.writes();
      const { verdict } = await failure(kit.apply(kit.set({ KEY: CANARY }), order(1), AbortSignal.abort()));
      expect(verdict).toBe("later");
      expect(await kit.place.stored("KEY")).toBeNull();
      expect(await kit.place.writes()).toBe(before);
    });

    itWhere(can("silent-on-write"))("gives up at once when told to in the middle of a write", async () => {
      await kit.observe("KEY");
      await kit.place.fault("silent-on-write");
      const controller = new AbortController();
      const write = failure(kit.apply(kit.set({ KEY: CANARY }), order(1), controller.signal));
      const timer = setTimeout(() => controller.abort(), 50);
      const { code } = await write;
      clearTimeout(timer);
      // Before it was sent, or after: never "done", and never a foreign error.
      expect(["TARGET_OUTCOME_UNKNOWN", "TARGET_UNREACHABLE", "TARGET_UNAVAILABLE"]).toContain(code);
    });

    it("never uses a credential as the key of its budget", async () => {
      await kit.target.observe([], soon());
      const { credentials } = conformance.kind.parse(kit.place.raw);
      for (const secret of Object.values(credentials ?? {}))
        for (const key of kit.budgetKeys) expect(key).not.toContain(String(secret));
      expectSilent(kit.budgetKeys.join(" "));
    });
  });
}
