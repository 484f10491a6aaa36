/** Law 3 at one path: an older write never stays over a newer one, however the requests of two writers interleave. */
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { VaultLines } from "../../../src/adapters/targets/vault/log-in/lines.ts";
import { SeenPlaces } from "../../../src/adapters/targets/vault/secret/seen-places.ts";
import { createVaultKind } from "../../../src/adapters/targets/vault/target.ts";
import type { Kv } from "../../../src/adapters/vault/kv.ts";
import { LockstepError } from "../../../src/core/errors.ts";
import { parseOrder } from "../../../src/core/order.ts";
import type { Target } from "../../../src/core/ports/target.ts";
import { address, change, MOUNT, never, order, PATH, STORE, VaultKit } from "./kit.ts";

const kit = new VaultKit();
beforeAll(() => kit.start());
afterAll(() => kit.stop());

/** A process of its own; `turn` decides when each of its requests goes. */
function writer(turn: () => Promise<unknown>): Target {
  const lines = new VaultLines();
  const kind = createVaultKind({
    revisionMarker: true,
    seen: new SeenPlaces(),
    lines: {
      lineTo(...told) {
        const line = lines.lineTo(...told);
        const kv: Kv = {
          ...line.kv,
          read: async (...asked) => {
            await turn();
            return await line.kv.read(...asked);
          },
          write: async (...asked) => {
            await turn();
            return await line.kv.write(...asked);
          },
        };
        return { ...line, kv };
      },
    },
  });
  const { config, credentials } = kind.parse(kit.raw());
  return kind.open(config, credentials, {
    targetName: "team-vault",
    budget: { take: async () => {}, report: async () => {} },
    storeId: STORE,
    revisionMarker: true,
  });
}

const write = fc.record({ generation: fc.integer({ min: 1, max: 6 }), looks: fc.boolean() });

it("law 3: the marks of a path's versions never go back, and what stands there is whole", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(write, { minLength: 1, maxLength: 3 }),
      fc.array(write, { minLength: 1, maxLength: 3 }),
      async (scheduler, ...plans) => {
        kit.vault.request("DELETE", `${MOUNT}/metadata/${PATH}`);
        kit.put({ THEIRS: "kept" });
        const done = new Set<number>();
        const work = plans.map(async (plan, who) => {
          const target = writer(() => scheduler.schedule(Promise.resolve(), `writer ${who}`));
          for (const { generation, looks } of plan) {
            try {
              // The digest names the content: both halves are of one generation.
              if (looks) await target.observe([address("A")], never);
              const text = String(generation);
              await target.apply(change({ A: text, B: text }), order(generation), never);
              done.add(generation);
            } catch (error) {
              if (!(error instanceof LockstepError)) throw error;
              expect(["ORDER_REFUSED", "WRITE_CONFLICT"]).toContain(error.code);
            }
          }
          await target.close();
        });
        await scheduler.waitFor(Promise.all(work));
        const newest = kit.stored();
        const marks: number[] = [];
        for (let version = 1; version <= (newest?.version ?? 0); version += 1) {
          const { status, body } = kit.vault.request("GET", `${MOUNT}/data/${PATH}?version=${version}`);
          if (status !== 200) continue;
          const { data } = (body as { data: { data: Record<string, string> } }).data;
          expect(data["THEIRS"]).toBe("kept");
          expect(data["A"]).toBe(data["B"]);
          const mark = parseOrder(data["LOCKSTEP_REV"] ?? "");
          if (mark === null) continue;
          expect(data["A"]).toBe(String(mark.generation));
          marks.push(mark.generation);
        }
        expect(marks).toEqual([...marks].sort((a, b) => a - b));
        expect(marks.at(-1)).toBe(Math.max(...done));
      },
    ),
    { numRuns: 40 },
  );
});
