import { describe, expect, it } from "vitest";
import {
  can,
  LOCAL_ADMIN_SCOPES,
  mayHandOut,
  PERMISSIONS,
  type Permission,
  SCOPES,
} from "../../../src/core/access/permissions.ts";

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
      "store.move",
      "store.recovery",
    ] as const) {
      expect(can(["operator"], permission), permission).toBe(false);
    }
    for (const permission of [
      "rollout.start",
      "rollout.resume",
      "rollout.rollback",
      "renewal.start",
      "alert.manage",
      "target.heal",
    ] as const) {
      expect(can(["operator"], permission), permission).toBe(true);
    }
  });

  it("ruling 31: a token for CI on a pull request plans, and nothing else", () => {
    expect(allowed("plan")).toEqual(["config.plan"]);
    expect(mayHandOut(["operator"], ["plan"])).toBe(false);
  });

  it("a viewer only looks", () => {
    expect(allowed("viewer").every((permission) => /\.(read|list)$/.test(permission))).toBe(true);
  });

  it("an administrator may do everything but what is a grant of its own; the local one has every grant", () => {
    expect(PERMISSIONS.filter((permission) => !can(["admin"], permission))).toEqual([
      "secret.reveal",
      "secret.adopt",
      "rollout.force",
      "values.export",
    ]);
    expect(PERMISSIONS.filter((permission) => !can(LOCAL_ADMIN_SCOPES, permission))).toEqual([]);
  });

  it("nobody hands out what they lack", () => {
    expect(mayHandOut(["admin"], ["admin", "operator", "viewer"])).toBe(true);
    expect(mayHandOut(["admin"], ["reveal"])).toBe(false);
    expect(mayHandOut(["admin", "reveal"], ["operator", "reveal"])).toBe(true);
    expect(mayHandOut(["operator"], ["admin"])).toBe(false);
    expect(mayHandOut([], ["viewer"])).toBe(false);
  });

  it("each lesser scope may nothing that the next may not", () => {
    for (const permission of allowed("viewer")) expect(can(["operator"], permission)).toBe(true);
    for (const permission of allowed("operator")) expect(can(["admin"], permission)).toBe(true);
  });

  it("a grant gives its one permission, scopes add up, and unknown ones give nothing", () => {
    expect(allowed("reveal")).toEqual(["secret.reveal"]);
    expect(can(["operator", "reveal"], "secret.reveal")).toBe(true);
    expect(allowed("root")).toEqual([]);
    expect(allowed("constructor")).toEqual([]);
    expect(SCOPES.length).toBe(new Set(SCOPES).size);
  });
});
