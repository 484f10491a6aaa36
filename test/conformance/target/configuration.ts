/** A kind before anything is opened: pure over its configuration. */
import { describe, expect, it } from "vitest";
import { LockstepError } from "../../../src/core/errors.ts";
import { itWhere } from "../../support/it-where.ts";
import { failure, soon, useKit } from "./kit.ts";
import { contextFor, type TargetConformance } from "./place.ts";

export function configurationConformance(conformance: TargetConformance): void {
  const { kind } = conformance;
  describe("its configuration", () => {
    const kit = useKit(conformance);

    it("is JSON without a credential, and the same whenever it is parsed", () => {
      const first = kind.parse(kit.place.raw);
      expect(JSON.parse(JSON.stringify(first.config))).toEqual(first.config);
      expect(kind.parse(kit.place.raw)).toEqual(first);
      for (const secret of Object.values(first.credentials ?? {})) {
        if (typeof secret === "string") expect(JSON.stringify(first.config)).not.toContain(secret);
      }
    });

    it("names one destination, and a place for each placement", () => {
      const { config } = kind.parse(kit.place.raw);
      const { placement } = kit.place.address("SOME_KEY");
      expect(kind.destination(config)).toBe(kind.destination(structuredClone(config)));
      const owner = { environment: "production", name: "api" };
      expect(kind.locationKey(config, placement, owner)).toBe(
        kind.locationKey(structuredClone(config), placement, owner),
      );
      expect(kind.resolvePlacement(config, undefined)).toBe(placement);
    });

    it("refuses a file that it does not have", () => {
      const { config } = kind.parse(kit.place.raw);
      expect(() => kind.resolvePlacement(config, "/no/such/file")).toThrow(LockstepError);
    });

    it("is refused with an unknown key, with nothing, and with something else, by a path", () => {
      for (const raw of [kit.place.rawWithUnknownKey, {}, null, "text", []]) {
        let thrown: unknown = null;
        try {
          kind.parse(raw);
        } catch (error) {
          thrown = error;
        }
        expect(thrown).toMatchObject({ code: "CONFIG_INVALID" });
        expect(Array.isArray((thrown as LockstepError).details["path"])).toBe(true);
      }
    });

    it("probes well, and changes nothing by it", async () => {
      const { ok, checks } = await kit.target.probe(soon());
      expect(checks.filter((check) => !check.ok)).toEqual([]);
      expect([ok, checks.length > 0]).toEqual([true, true]);
      expect((await kit.place.writes()) ?? 0).toBe(0);
    });

    it("may be opened twice and closed twice", async () => {
      const { config, credentials } = kind.parse(kit.place.raw);
      const other = kind.open(config, credentials, contextFor());
      await other.close();
      await other.close();
      expect(await kit.value("ABSENT")).toBeNull();
    });

    itWhere(conformance.cannot?.["is-gone"] === undefined)(
      "reports by its probe that nobody is there",
      async () => {
        await kit.place.fault("is-gone");
        const { ok, checks } = await kit.target.probe(soon());
        expect(ok).toBe(false);
        expect(checks.find((check) => !check.ok)?.message).not.toBe("");
        await failure(kit.observe("SOME_KEY"));
      },
    );
  });
}
