import { describe, expect, it } from "vitest";
import { never, type Opening, useRailway } from "./kit.ts";

describe("to whom Railway gives what a service has", () => {
  const kit = useRailway();
  const exposures = async (options: Opening = {}) => (await kit.open(options).probe(never)).exposures;
  const state = () => kit.railway.state;
  const builtThere = () => state().changeService({ service: kit.serviceId, source: { repo: "example/app" } });

  it("is nobody, where an image is deployed and pull requests get no environments", async () => {
    for (const token of Object.entries(kit.railway.defaults).flatMap(([name, text]) =>
      name.endsWith("Token") ? [text] : [],
    ))
      expect(await exposures({ token })).toEqual([]);
  });

  it("are builds of its own, unless that is meant", async () => {
    await builtThere();
    expect(await exposures()).toEqual([{ to: "builds", except: [] }]);
    expect(await exposures({ mayReach: ["builds"] })).toEqual([]);
    // What somebody uploads is built there too.
    await state().changeService({ service: kit.serviceId, source: null });
    expect(await exposures()).toEqual([{ to: "builds", except: [] }]);
  });

  it("is no build, as long as nothing was deployed", async () => {
    const { serviceId } = await state().addService({
      name: "empty",
      deployed: false,
      source: { repo: "example/app" },
    });
    expect(await exposures({ service: serviceId })).toEqual([]);
  });

  it.each(["prDeploys", "botPrEnvironments"])(
    "are pull requests, with %s, but for what is sealed",
    async (way) => {
      await state().changeProject({ [way]: true });
      await state().setVariables({
        service: kit.serviceId,
        variables: { SEALED: { value: "never-shown", sealed: true } },
      });
      const { serviceId } = await state().addService({ name: "web" });
      await state().setVariables({
        service: serviceId,
        variables: { KEPT: { value: "another-service's", sealed: true } },
      });
      for (const token of [kit.railway.defaults.projectToken, kit.railway.defaults.accountToken])
        expect(await exposures({ token })).toEqual([{ to: "pull-requests", except: ["SEALED"] }]);
      expect(await exposures({ mayReach: ["pull-requests"] })).toEqual([]);
    },
  );

  it("are no pull requests that are copies of another environment", async () => {
    const { environmentId } = await state().addEnvironment({ name: "staging" });
    await state().changeProject({ prDeploys: true, baseEnvironmentId: environmentId });
    expect(await exposures()).toEqual([]);
    await state().changeProject({ baseEnvironmentId: kit.railway.defaults.environmentId });
    expect(await exposures()).toMatchObject([{ to: "pull-requests" }]);
  });

  it("is left open where the token does not reach so far, and the test passes", async () => {
    await kit.railway.faults.add({
      kind: "graphql-error",
      operation: "TokenPreviews",
      message: "Not Authorized",
      times: "always",
    });
    const { ok, exposures: seen } = await kit.open().probe(never);
    expect([ok, seen]).toEqual([true, undefined]);
  });
});
