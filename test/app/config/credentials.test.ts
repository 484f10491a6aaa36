import { expect, it } from "vitest";
import { sshKind } from "../../../src/adapters/targets/ssh/target.ts";
import { applyConfig } from "../../../src/app/config/apply-config.ts";
import { planConfig } from "../../../src/app/config/plan-config.ts";
import { introduceVersion } from "../../../src/app/versions/introduce-version.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { configSchema } from "../../../src/protocol/config.ts";
import { useConfigKit } from "../../support/config-kit.ts";
import { describeOnAStore } from "../../support/database.ts";
import { TESTER } from "../../support/loop-kit.ts";
import { generateKey } from "../../support/sshd.ts";

describeOnAStore("credentials of a configuration's targets", (getDatabase) => {
  const kit = useConfigKit(getDatabase, "railway");

  const both = (...targets: string[]) => targets.map((target) => ({ target, role: "both" }));
  const set = (name: string, value: string) =>
    introduceVersion(kit.context, TESTER, {
      environment: "production",
      name,
      fields: { value: SecretValue.of(value) },
    });
  const settle = () => kit.loop.drain(kit.context);

  it("seals a credential with its destination, and does not take the stored one to another", async () => {
    const at = (origin: string, token?: string) =>
      kit.config({
        secrets: { A: both("one") },
        targets: { one: { origin, ...(token === undefined ? {} : { token }) } },
      });
    await applyConfig(kit.context, TESTER, { config: at("here", "canary-token") });
    const rows = await kit.loop.rows<{ text: string }>(
      "select row_to_json(t)::text || (select string_agg(row_to_json(a)::text, '') from audit_entry a) as text from target t",
    );
    expect(rows[0]?.text).not.toContain("canary-token");
    expect(await planConfig(kit.context, TESTER, { config: at("here", "canary-token") })).toMatchObject({
      hasChanges: false,
    });

    kit.opened.length = 0;
    await planConfig(kit.context, TESTER, { config: at("here") });
    expect(kit.opened.map(({ credentials }) => credentials)).toEqual([{ token: "canary-token" }]);

    kit.opened.length = 0;
    const moved = await planConfig(kit.context, TESTER, { config: at("elsewhere") });
    expect(kit.opened).toEqual([]);
    expect(moved.problems.map(({ code }) => code)).toEqual(["DESTINATION_CHANGED"]);
    expect(moved.places[0]?.place).toEqual({ state: "not-asked" });
    await expect(applyConfig(kit.context, TESTER, { config: at("elsewhere") })).rejects.toMatchObject({
      code: "DESTINATION_CHANGED",
    });

    await applyConfig(kit.context, TESTER, { config: at("elsewhere", "new-token") });
    kit.opened.length = 0;
    await planConfig(kit.context, TESTER, { config: at("elsewhere") });
    expect(kit.opened.map(({ credentials }) => credentials)).toEqual([{ token: "new-token" }]);
  });

  it("ruling 31: asks no destination that was not applied, and tells where it would go", async () => {
    const at = (origin: string, token: unknown) =>
      kit.config({ secrets: { A: both("one") }, targets: { one: { origin, token } } });
    const fresh = await planConfig(kit.context, TESTER, { config: at("here", "given") });
    expect(kit.opened).toEqual([]);
    expect(fresh.places.map(({ place }) => place)).toEqual([{ state: "not-asked" }]);
    expect(fresh.destinations).toMatchObject([{ subject: "target", change: "new", address: "memory:here" }]);
    await applyConfig(kit.context, TESTER, { config: at("here", "given"), expectedPlanDigest: fresh.digest });
    expect(kit.opened).toEqual([]);

    const moved = { config: at("elsewhere", "given") };
    const plan = await planConfig(kit.context, TESTER, moved);
    expect(kit.opened).toEqual([]);
    expect(plan.destinations).toMatchObject([{ change: "changed", address: "memory:elsewhere" }]);
    await planConfig(kit.context, TESTER, { ...moved, askNew: true });
    expect(kit.opened.map(({ credentials }) => credentials)).toEqual([{ token: "given" }]);
  });

  it("ruling 31: shows an applied place the applied credential, whatever a file proposes for it", async () => {
    const withToken = (token: unknown) =>
      kit.config({ secrets: { A: both("one") }, targets: { one: { token } } });
    await applyConfig(kit.context, TESTER, { config: withToken("applied") });
    const plan = await planConfig(kit.context, TESTER, { config: withToken("somebody's") });
    expect(plan.changes.map(({ text }) => text)).toEqual(["change target production/one (credential)"]);
    expect(kit.opened.map(({ credentials }) => credentials)).toEqual([{ token: "applied" }]);
  });

  it("ruling 31: a credential that was not sent makes the same plan, and cannot be applied", async () => {
    const at = (origin: string, token: unknown) =>
      kit.config({ secrets: { A: both("one") }, targets: { one: { origin, token } } });
    const mark = { unsent: "elsewhere" };
    const { digest } = await planConfig(kit.context, TESTER, { config: at("here", mark) });
    await expect(
      applyConfig(kit.context, TESTER, { config: at("here", mark), expectedPlanDigest: digest }),
    ).rejects.toMatchObject({ code: "INPUT_INVALID" });
    await applyConfig(kit.context, TESTER, { config: at("here", "given"), expectedPlanDigest: digest });
    const unread = await planConfig(kit.context, TESTER, { config: at("here", { unsent: "unread" }) });
    expect(unread).toMatchObject({ hasChanges: false, problems: [] });
    expect(kit.opened.map(({ credentials }) => credentials)).toEqual([{ token: "given" }]);
  });

  it("sees another credential for the same address, and gives the place another try", async () => {
    const withToken = (token: string) =>
      kit.config({ secrets: { A: both("one") }, targets: { one: { token } } });
    await applyConfig(kit.context, TESTER, { config: withToken("old") });
    await set("A", "first");
    await settle();
    const { plan, reconciling } = await applyConfig(kit.context, TESTER, { config: withToken("new") });
    expect(plan.changes.map(({ text }) => text)).toEqual(["change target production/one (credential)"]);
    expect(reconciling).toBe(1);
    await settle();
    expect(kit.opened.at(-1)?.credentials).toEqual({ token: "new" });
    expect(kit.place("one").writes).toHaveLength(1);
  });

  it("refuses a restart that is known to keep the old environment, before anything is asked or stored", async () => {
    const context = { ...kit.context, targetKinds: new Map([["ssh", sshKind]]) };
    const hostKey = generateKey().publicKey;
    const asked = (activate: object, file: object = {}) => ({
      config: configSchema.parse({
        environments: {
          production: {
            secrets: { A: { bindings: [{ target: "vps", role: "caller" }] } },
            targets: {
              vps: {
                ssh: { host: "127.0.0.1", user: "app", hostKey },
                files: [{ path: "/srv/app/.env", format: "dotenv", ...file }],
                activate,
              },
            },
          },
        },
      }),
    });
    const restart = { command: ["/usr/bin/docker", "compose", "-f", "/srv/app/c.yml", "restart", "app"] };
    await expect(applyConfig(context, TESTER, asked(restart))).rejects.toMatchObject({
      code: "RESTART_KEEPS_OLD",
      message: expect.stringContaining("docker compose up -d --force-recreate SERVICE"),
    });
    expect(await kit.loop.rows("select 1 from target")).toEqual([]);
    const plan = async (...given: Parameters<typeof asked>) => {
      const { problems, warnings } = await planConfig(context, TESTER, asked(...given));
      return [...problems.map(({ code }) => code), ...warnings.map(({ path }) => path.slice(-2).join("."))];
    };
    expect(await plan(restart)).toEqual(["RESTART_KEEPS_OLD"]);
    expect(await plan({ ...restart, rereads: "attested" })).toEqual(["activate.command"]);
    expect(await plan(restart, { asEnvironment: false })).toEqual(["activate.command"]);
    expect(await plan({ command: ["/srv/app/restart"] })).toEqual(["activate.command"]);
    expect(await plan({ command: ["/srv/app/restart"], process: { pidFile: "/run/app.pid" } })).toEqual([]);
    expect(await plan({ systemd: "app.service" })).toEqual([]);
    await applyConfig(context, TESTER, asked({ ...restart, rereads: "attested" }));
    // Who said it is on record with the configuration.
    expect(await kit.loop.rows("select config->'activate'->>'rereads' as rereads from target")).toEqual([
      { rereads: "attested" },
    ]);
  });
});
