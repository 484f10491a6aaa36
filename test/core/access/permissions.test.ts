import { describe, expect, it } from "vitest";
import { can, PERMISSIONS, type Permission, SCOPES } from "../../../src/core/access/permissions.ts";

const allowed = (scope: string): readonly Permission[] =>
  PERMISSIONS.filter((permission) => can([scope], permission));

describe("who may do what", () => {
  it("an operator's token cannot choose where values go, choose values, or see them", () => {
    for (const permission of [
      "config.plan",
      "config.apply",
      "secret.set",
      "secret.reveal",
      "secret.adopt",
      "secret.destroy",
      "rollout.force",
      "token.manage",
      "store.rewrap",
    ] as const) {
      expect(can(["operator"], permission), permission).toBe(false);
    }
    expect(can(["operator"], "rollout.start")).toBe(true);
  });

  it("a viewer only looks", () => {
    expect(allowed("viewer").every((permission) => /\.(read|list)$/.test(permission))).toBe(true);
  });

  it("an administrator may do everything, and each lesser scope nothing that the next may not", () => {
    expect(allowed("admin")).toEqual([...PERMISSIONS]);
    for (const permission of allowed("viewer")) expect(can(["operator"], permission)).toBe(true);
  });

  it("a grant gives its one permission, scopes add up, and unknown ones give nothing", () => {
    expect(allowed("reveal")).toEqual(["secret.reveal"]);
    expect(can(["operator", "reveal"], "secret.reveal")).toBe(true);
    expect(allowed("root")).toEqual([]);
    expect(allowed("constructor")).toEqual([]);
    expect(SCOPES.length).toBe(new Set(SCOPES).size);
  });
});
