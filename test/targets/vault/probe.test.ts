/** `target test`: rights with the policy that gives them and no more, the own token's life, and what speaks against a mount. */
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { judgeToken } from "../../../src/adapters/targets/vault/probe/own-token.ts";
import { missingRights, neededRights } from "../../../src/adapters/targets/vault/probe/policy.ts";
import { oldVersionsText } from "../../../src/adapters/targets/vault/probe/words.ts";
import { OWN_TOKEN_RIGHTS, policyText, type Right } from "../../../src/adapters/vault/rights.ts";
import type { OwnToken } from "../../../src/adapters/vault/vault.ts";
import type { ProbeCheck, Target } from "../../../src/core/ports/target.ts";
import { address, change, failure, MOUNT, never, order, PATH, VaultKit } from "./kit.ts";

const kit = new VaultKit();
const DAY_MS = 86_400_000;

beforeEach(() => kit.start());
afterEach(() => kit.stop());

async function probed(target: Target): Promise<Readonly<Record<string, ProbeCheck>>> {
  const { checks } = await target.probe(never);
  return Object.fromEntries(checks.map((check) => [check.name, check]));
}

const tokenOf = (rights: readonly Right[], noDefaultPolicy = false) => {
  kit.vault.policy("given", policyText(rights));
  return kit.vault.token({ policies: ["given"], periodSeconds: 3_600, noDefaultPolicy });
};

/** All that a target of this configuration ever does; answers what failed. */
async function everything(
  token: string,
  vault: Readonly<Record<string, unknown>>,
): Promise<readonly string[]> {
  const open = () => kit.open({ token, vault, elsewhere: true });
  const background = kit.open({
    token,
    vault,
    context: { purpose: "background", keepCredentials: async () => {} },
  });
  const failed: string[] = [];
  const attempt = async (name: string, work: () => Promise<unknown>) => {
    await work().catch(() => failed.push(name));
  };
  await attempt("create", () => open().apply(change({ AUTH: "1" }), order(1), never));
  await attempt("update", () => open().apply(change({ AUTH: "2" }), order(2), never));
  await attempt("look", () => background.observe([address("AUTH")], never));
  const before = kit.vault.calls.list({ method: "GET", path: `${MOUNT}/data/*` }).length;
  await attempt("look again", () => background.observe([address("AUTH")], never));
  if (kit.vault.calls.list({ method: "GET", path: `${MOUNT}/data/*` }).length > before)
    failed.push("no value is read again");
  if (vault["label"] !== false) {
    const { body } = kit.vault.request("GET", `${MOUNT}/metadata/${PATH}`);
    if (!JSON.stringify(body).includes("lockstep")) failed.push("label");
  }
  if (vault["discover"] !== undefined) {
    const interest = { keys: new Set(["AUTH"]), knows: () => false };
    await attempt("discover", async () => {
      const { found = [], unseen = [] } = (await open().discoverer?.discover(interest, never)) ?? {};
      if (unseen.length > 0 || !found.some(({ name }) => name.includes("elsewhere"))) throw new Error();
    });
  }
  return failed;
}

describe("the policy that is printed", () => {
  const configurations = [
    { name: "a path alone", vault: { label: false } },
    { name: "with its label", vault: { label: true } },
    { name: "that looks around", vault: { label: false, discover: ["team"] } },
    { name: "that looks through all of the mount", vault: { label: true, discover: ["/"] } },
  ];
  const needed = ({
    label,
    discover = [],
  }: {
    readonly label: boolean;
    readonly discover?: readonly string[];
  }) =>
    neededRights({
      mount: MOUNT,
      path: PATH,
      label,
      discover: discover.map((folder) => (folder === "/" ? "" : folder)),
    });

  it.each(configurations)("is enough for $name, and nothing in it is too much", async ({ vault }) => {
    const rights = needed(vault);
    kit.put({ AUTH: "x" }, "team/elsewhere");
    const fresh = () => kit.vault.request("DELETE", `${MOUNT}/metadata/${PATH}`);
    expect(await everything(tokenOf(rights), vault)).toEqual([]);
    for (const right of rights) {
      for (const capability of right.capabilities) {
        fresh();
        const less = rights.map((one) =>
          one === right
            ? { ...one, capabilities: one.capabilities.filter((word) => word !== capability) }
            : one,
        );
        const token = tokenOf(less.filter(({ capabilities }) => capabilities.length > 0));
        expect(await everything(token, vault), `without ${capability} at ${right.path}`).not.toEqual([]);
        // And the test says so, with the whole policy.
        const { rights: said } = await probed(kit.open({ token, vault, elsewhere: true }));
        expect(said).toMatchObject({ ok: false, message: expect.stringContaining(right.path) });
        for (const line of policyText(rights).split("\n")) expect(said?.message).toContain(line);
      }
    }
  });

  it("names the default policy's rights where a token lacks them, and goes on", async () => {
    const own = [OWN_TOKEN_RIGHTS.lookup];
    const checks = await probed(kit.open({ token: tokenOf([...needed({ label: false }), ...own], true) }));
    expect(checks["rights"]).toMatchObject({
      ok: true,
      message: expect.stringContaining(policyText([OWN_TOKEN_RIGHTS.capabilities])),
    });
    expect(checks["path"]?.ok).toBe(true);
    const blind = await probed(kit.open({ token: tokenOf(needed({ label: false }), true) }));
    expect(blind["log-in"]).toMatchObject({
      ok: false,
      message: expect.stringContaining("auth/token/lookup-self"),
    });
  });

  it("is said by a write and a look that lack a right, for the path alone", async () => {
    const token = tokenOf([{ path: `${MOUNT}/data/${PATH}`, capabilities: ["read"] }]);
    const error = await failure(kit.open({ token }).apply(change({ AUTH: "1" }), order(1), never));
    expect(error).toMatchObject({
      code: "TARGET_PERMISSION",
      hint: `Give the token's policy this right: path "${MOUNT}/data/${PATH}" { capabilities = ["create", "read", "update"] }`,
    });
    expect((await failure(kit.open({ token: tokenOf([]) }).observe([address("AUTH")], never))).code).toBe(
      "TARGET_PERMISSION",
    );
  });

  it("quotes what a path may hold", () => {
    const [data] = neededRights({ mount: "k v", path: 'a"b\\c', label: false, discover: [] });
    kit.vault.mount("kv-v2", "k v");
    const token = tokenOf([data as Right]);
    expect(policyText([data as Right])).toContain('path "k v/data/a\\"b\\\\c"');
    return expect(
      kit.open({ token, vault: { mount: "k v", path: 'a"b\\c' } }).apply(change({ A: "1" }), order(1), never),
    ).resolves.toEqual({
      outcome: "changed",
    });
  });

  it("takes root for everything", () => {
    const needs = needed({ label: true, discover: ["x"] });
    expect(missingRights(needs, new Map(needs.map(({ path }) => [path, ["root"]])))).toEqual([]);
    expect(missingRights(needs, new Map())).toEqual(needs);
  });
});

describe("the own token", () => {
  const now = new Date("2026-03-01T00:00:00Z");
  const token = (more: Partial<OwnToken>): OwnToken => ({
    endsAt: null,
    endsForGoodAt: null,
    renewable: true,
    kind: "service",
    usesLeft: 0,
    ...more,
  });
  const inDays = (days: number) => new Date(now.getTime() + days * DAY_MS);
  const judge = (own: OwnToken, createdAt: Date | null = inDays(-60), login: "token" | "approle" = "token") =>
    judgeToken(own, { login, createdAt, now, target: "team-vault" });

  it.each([
    ["one that never ends", token({}), null, "does not end"],
    ["a periodic one", token({ kind: "periodic", endsAt: inDays(0.04) }), null, "renewed by itself"],
    [
      "one with a month left of three",
      token({ endsAt: inDays(1), endsForGoodAt: inDays(30) }),
      null,
      "lives until",
    ],
    [
      "one in its last tenth",
      token({ endsAt: inDays(1), endsForGoodAt: inDays(6) }),
      "ends for good in 6 d",
      null,
    ],
    [
      "a batch token of today",
      token({ kind: "batch", renewable: false, endsAt: inDays(0.5) }),
      "ends for good",
      null,
    ],
    ["one that ended", token({ renewable: false, endsAt: inDays(-1) }), "has ended", null],
    ["one that is used up", token({ usesLeft: 3 }), "ends after 3 more uses", null],
  ])("%s", (_what, own, refused, said) => {
    if (refused === null) expect(judge(own)).toContain(said);
    else expect(() => judge(own)).toThrow(refused);
  });

  it("of a year is told a week before", () => {
    const own = (days: number) => token({ endsAt: inDays(1), endsForGoodAt: inDays(days) });
    expect(() => judge(own(7), inDays(-358))).toThrow("ends for good");
    expect(judge(own(7.1), inDays(-358))).toContain("lives until");
  });

  it("of an AppRole is never told: it logs in anew; but not one that is used up", () => {
    const soon = token({ endsAt: inDays(0.1), endsForGoodAt: inDays(0.1) });
    expect(judge(soon, inDays(-1), "approle")).toContain("logs in anew");
    expect(() => judge(token({ usesLeft: 1 }), null, "approle")).toThrow("one more use");
    // Without its beginning the week alone is known.
    expect(() => judge(token({ renewable: false, endsAt: inDays(6) }), null)).toThrow("ends for good");
    expect(judge(token({ renewable: false, endsAt: inDays(8) }), null)).toContain("lives until");
  });

  it("that ends soon fails the daily test before it ends, and everything else is still tested", async () => {
    const ending = kit.vault.token({ policies: ["target"], ttl: 3_600, renewable: false });
    const checks = await probed(kit.open({ token: ending }));
    expect(checks["token"]).toMatchObject({
      ok: false,
      message: expect.stringContaining("ends for good in"),
    });
    expect(checks["rights"]?.ok).toBe(true);
    const counted = await probed(
      kit.open({ token: kit.vault.token({ policies: ["target"], usesLeft: 50 }) }),
    );
    expect(counted["token"]).toMatchObject({ ok: false, message: expect.stringContaining("more uses") });
  });
});

describe("what stands against a mount or a path", () => {
  it("names KV v1, other engines, and mounts that are not there", async () => {
    kit.vault.mount("kv-v1", "old");
    kit.vault.mount("transit", "transit");
    const old = policyText([{ path: "old/*", capabilities: ["create", "read", "update", "list"] }]);
    kit.vault.policy("wide", `${old}\n${old.replace("old/", "transit/")}\n${old.replace("old/", "none/")}`);
    const token = kit.vault.token({ policies: ["wide"] });
    for (const mount of ["old", "transit", "none"]) {
      const { ok, checks } = await kit.open({ token, vault: { mount } }).probe(never);
      expect([mount, ok]).toEqual([mount, false]);
      expect(JSON.stringify(checks)).toContain(mount === "old" ? "enable-versioning" : "none");
      const error = await failure(
        kit.open({ token, vault: { mount } }).apply(change({ A: "1" }), order(1), never),
      );
      expect([mount, error.code]).toEqual([mount, "TARGET_MISSING"]);
    }
    expect(
      kit.vault.calls.list().filter(({ method, path }) => method === "POST" && !path.startsWith("sys/")),
    ).toEqual([]);
  });

  it("needs no more than the policy that is shipped for it gives, nor less", () => {
    const shipped = readFileSync(
      new URL("../../../deploy/vault/policies/target.hcl", import.meta.url),
      "utf8",
    );
    const needed = neededRights({ mount: "secret", path: "apps/api", discover: [], label: true });
    expect(shipped.replace(/^#.*\n/gm, "").trim()).toBe(policyText(needed));
  });

  it("names so many older versions that a command can, and says how many are left", () => {
    const versions = Object.fromEntries(
      Array.from({ length: 30_000 }, (_, n) => [n + 1, { destroyed: false }]),
    );
    const [told = ""] = oldVersionsText(
      { mount: MOUNT, path: PATH, namespace: null },
      { data: { current_version: 30_000, versions } },
    );
    expect(told).toContain("29999 older versions");
    expect(told).toContain("-versions=1,2,3,");
    expect(told).toContain(`,200 ${PATH}`);
    expect(told).toContain("the first 200");
    expect(told.length).toBeLessThan(2_000);
  });

  it("warns of versions that end by themselves, tells limits, and how old versions are destroyed", async () => {
    kit.vault.request("POST", `${MOUNT}/metadata/${PATH}`, {
      delete_version_after: "720h",
      max_versions: 4,
      cas_required: true,
    });
    for (const generation of [1, 2, 3])
      await kit.open().apply(change({ AUTH: String(generation) }), order(generation), never);
    const { versions } = await probed(kit.open());
    expect(versions).toMatchObject({ ok: true });
    expect(versions?.message).toContain("delete_version_after");
    expect(versions?.message).toContain("4 versions are kept");
    expect(versions?.message).toContain(`vault kv destroy -mount=${MOUNT} -versions=1,2 ${PATH}`);
  });

  it("says what stands there: nothing, so many keys, a deleted version, a number that hinders", async () => {
    const said = async () => (await probed(kit.open({ elsewhere: true })))["path"]?.message;
    expect(await said()).toContain("nothing stands there yet");
    kit.put({ A: "1", B: "2" });
    expect(await said()).toBe("version 1, with 2 keys");
    kit.vault.request("DELETE", `${MOUNT}/data/${PATH}`);
    expect(await said()).toContain("version 1 was deleted");
    kit.put({ N: 2 ** 60 });
    expect(await said()).toContain('"N"');
  });

  it("changes nothing, and asks nothing that a careful client does not ask", async () => {
    await kit.open({ vault: { label: true, discover: ["team"] } }).probe(never);
    expect(kit.writes()).toBe(0);
    expect(kit.vault.offences).toEqual([]);
  });
});

describe("namespaces", () => {
  it("that the server ignores are refused before anything is written", async () => {
    const target = kit.open({ vault: { namespace: "team" } });
    const { ok, checks } = await target.probe(never);
    expect([ok, checks.length]).toEqual([false, 1]);
    expect(checks[0]?.message).toContain("namespaces");
    const error = await failure(target.apply(change({ A: "1" }), order(1), never));
    expect(error).toMatchObject({
      code: "TARGET_MISSING",
      hint: expect.stringMatching(/^(?!.*enable-versioning).*take `namespace` out/),
    });
    expect(kit.writes()).toBe(0);
  });

  it("of OpenBao are kept to, and one that is missing is named", async () => {
    await kit.stop();
    await kit.start({ mode: "openbao-2.6" });
    kit.vault.namespace("team");
    kit.vault.mount("kv-v2", MOUNT, "team");
    kit.vault.policy(
      "inside",
      policyText(neededRights({ mount: MOUNT, path: PATH, discover: [], label: false })),
      "team",
    );
    const token = kit.vault.token({ policies: ["inside"], periodSeconds: 3_600, namespace: "team" });
    const target = kit.open({ token, vault: { namespace: "team" } });
    expect((await target.probe(never)).checks.filter(({ ok }) => !ok)).toEqual([]);
    await target.apply(change({ A: "1" }), order(1), never);
    expect(kit.stored()).toBeNull();
    const { ok, checks } = await kit.open({ token, vault: { namespace: "none" } }).probe(never);
    expect([ok, checks[0]?.message]).toEqual([false, expect.stringContaining("namespace")]);
  });
});
