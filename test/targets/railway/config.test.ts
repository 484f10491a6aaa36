import { describe, expect, it } from "vitest";
import { railwayKind } from "../../../src/adapters/targets/railway/target.ts";
import { toLockstepError } from "../../../src/core/errors.ts";

describe("configuration", () => {
  const base = { project: "p-1", environment: "e-1", token: "token-0000" };
  it.each([
    [{ ...base }, "service"],
    [{ ...base, service: "s", shared: true }, "service"],
    [{ ...base, service: "s", endpoint: "http://example.com/graphql" }, "endpoint"],
    [{ ...base, service: "s", endpoint: "https://169.254.169.254/graphql" }, "endpoint"],
    [{ ...base, service: "s", endpoint: "https://[fe80::1]/graphql" }, "endpoint"],
    [{ ...base, service: "s", endpoint: "http://localhost.example.com/graphql" }, "endpoint"],
    [{ ...base, service: "s", endpoint: "https://user:pass@example.com/" }, "endpoint"],
    [{ ...base, service: "s", replace: true }, "replace"],
    [{ ...base, service: "../x" }, "service"],
    [{ ...base, service: "s", token: "with space" }, "token"],
    [{ ...base, service: "s", tokenKind: "workspace" }, "tokenKind"],
    [{ ...base, service: "s", requestTimeoutMs: 0 }, "requestTimeoutMs"],
  ])("refuses %j", (railwayPart, named) => {
    let error: unknown = null;
    try {
      railwayKind.parse({ railway: railwayPart });
    } catch (thrown) {
      error = thrown;
    }
    const { code, message, details } = toLockstepError(error);
    expect(code).toBe("CONFIG_INVALID");
    expect(`${String(details["path"])} ${message}`).toContain(named);
  });

  it("a credential is bound to project, environment, service and endpoint; places collide when they are the same", () => {
    const one = railwayKind.parse({ railway: { ...base, service: "s" } });
    const shared = railwayKind.parse({ railway: { ...base, shared: true } });
    expect(one.credentials).toEqual({ token: "token-0000" });
    expect(JSON.stringify(one.config)).not.toContain("token-0000");
    expect(railwayKind.destination(one.config)).not.toBe(railwayKind.destination(shared.config));
    expect(railwayKind.locationKey(one.config, "", { environment: "production", name: "api" })).toBe(
      "railway:backboard.railway.com/p-1/e-1/s",
    );
  });
});
