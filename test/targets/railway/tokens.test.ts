import { describe, expect, it } from "vitest";
import { at, failure, never, order, set, useRailway } from "./kit.ts";

describe("a token", () => {
  const kit = useRailway();
  const tokens = () => Object.entries(kit.railway.defaults).filter(([name]) => name.endsWith("Token"));

  it("of each kind finds its header by itself, and is then asked no more", async () => {
    for (const [, token] of tokens()) {
      expect((await kit.open({ token }).observe(at("KEPT"), never)).keys).toHaveLength(1);
      await kit.railway.log.clear({});
      await kit.open({ token }).observe(at("KEPT"), never);
      expect(await kit.railway.log.requests({})).toHaveLength(1);
    }
  });

  it("whose kind is told is not asked at all", async () => {
    const { token } = await kit.railway.state.addToken({ kind: "project" });
    await kit.open({ token, tokenKind: "project" }).observe(at("KEPT"), never);
    expect((await kit.railway.log.requests({})).map(({ operationName }) => operationName)).toEqual([
      "ObserveService",
    ]);
  });

  it("that is told to be of the wrong kind is refused", async () => {
    const { token } = await kit.railway.state.addToken({ kind: "project" });
    expect((await failure(kit.open({ token, tokenKind: "account" }).observe(at("KEPT"), never))).code).toBe(
      "TARGET_CREDENTIAL_REJECTED",
    );
  });

  it("that died is told apart from one that does not reach the place", async () => {
    const { token } = await kit.railway.state.addToken({ kind: "project" });
    const target = kit.open({ token });
    await target.observe(at("KEPT"), never);
    expect(await failure(kit.open({ token, environment: "elsewhere" }).observe([], never))).toMatchObject({
      code: "TARGET_MISSING",
    });
    await kit.railway.state.revokeToken({ token });
    expect((await failure(target.observe(at("KEPT"), never))).code).toBe("TARGET_CREDENTIAL_REJECTED");
    expect((await failure(target.apply(set({ NEW: "n" }), order(1), never))).code).toBe(
      "TARGET_CREDENTIAL_REJECTED",
    );
  });
});

describe("`target test`", () => {
  const kit = useRailway();

  it("is content with each kind of token, and says which would reach less", async () => {
    const { accountToken, workspaceToken, projectToken } = kit.railway.defaults;
    for (const token of [accountToken, workspaceToken, projectToken]) {
      const { ok, checks } = await kit.open({ token }).probe(never);
      expect([ok, checks.map(({ name }) => name)]).toEqual([true, ["token", "environment", "variables"]]);
      if (token !== projectToken) expect(checks[0]?.message).toContain("would reach less");
    }
    expect(await kit.railway.log.writes()).toEqual([]);
  });

  it("names a dead token", async () => {
    const { ok, checks } = await kit.open({ token: "dead-token-000000" }).probe(never);
    expect([ok, checks.length, checks[0]?.name]).toEqual([false, 1, "token"]);
    expect(checks[0]?.message).toContain("valid token");
    expect(JSON.stringify(checks)).not.toContain("dead-token");
  });

  it("names the ids that a project token of another environment reaches", async () => {
    const { environmentId } = await kit.railway.state.addEnvironment({ name: "staging" });
    const { token } = await kit.railway.state.addToken({ kind: "project", environmentId });
    const { ok, checks } = await kit.open({ token }).probe(never);
    expect(ok).toBe(false);
    expect(checks.at(-1)?.message).toContain(environmentId);
  });

  it("names the project that an environment really belongs to", async () => {
    const { projectId } = await kit.railway.state.addProject({ name: "other" });
    const target = kit.open({ project: projectId, token: kit.railway.defaults.accountToken });
    const { ok, checks } = await target.probe(never);
    expect([ok, checks.at(-1)?.name]).toEqual([false, "environment"]);
    expect(checks.at(-1)?.message).toContain(kit.railway.defaults.projectId);
  });

  it("names a restricted environment, a deleted one, and a service that is not there", async () => {
    await kit.railway.state.restrictEnvironment({ canAccess: false });
    expect((await kit.open().probe(never)).checks.at(-1)?.message).toContain("restricted");
    await kit.railway.state.restrictEnvironment({ canAccess: true });
    const { ok, checks } = await kit.open({ service: "not-there" }).probe(never);
    expect([ok, checks.at(-1)?.name]).toEqual([false, "variables"]);
    await kit.railway.state.deleteEnvironment({});
    expect((await kit.open().probe(never)).checks.at(-1)?.message).toContain("deleted");
  });
});
