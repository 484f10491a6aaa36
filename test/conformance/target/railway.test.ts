import { railwayKind } from "../../../src/adapters/targets/railway/target.ts";
import {
  INSTANT,
  type RailwaySimulator,
  startRailwaySimulator,
} from "../../../src/simulator/railway/server.ts";
import { CANARY, type PlaceFault, type PlaceUnderTest, type TargetConformance } from "./place.ts";
import { targetConformance } from "./suite.ts";

const simulators = new WeakMap<PlaceUnderTest, RailwaySimulator>();
const WRITES = ["variableCollectionUpsert", "variableDelete"];

const common: Omit<TargetConformance, "name" | "start"> = {
  kind: railwayKind,
  badKeys: ["with-dash", "1ST", "", "RAILWAY_TOKEN", "LOCKSTEP_REV", "__proto__"],
  moreValues: ["a.b.c", "${ {", "null", "0"],
  comparesStartValues: true,
  showsRunning: true,
  failActivation: async (place) => {
    await simulators.get(place)?.faults.add({ kind: "deployment-fails" });
  },
};

targetConformance({ ...common, name: "a Railway service", start: () => startPlace("service") });
targetConformance({ ...common, name: "Railway's shared scope", start: () => startPlace("shared") });

async function startPlace(scope: "service" | "shared"): Promise<PlaceUnderTest> {
  const railway = await startRailwaySimulator({ durations: INSTANT });
  const { projectId, environmentId, projectToken } = railway.defaults;
  // What refers to the shared KEY is what a change of it restarts.
  const { serviceId } = await railway.state.addService({
    name: "api",
    ...(scope === "shared" ? { variables: { MINE: "is ${{shared.KEY}}" } } : {}),
  });
  const service = scope === "shared" ? null : serviceId;
  const settings = {
    project: projectId,
    environment: environmentId,
    ...(service === null ? { shared: true } : { service }),
    token: projectToken,
    endpoint: railway.url,
    requestTimeoutMs: 500,
  };
  const { placement } = {
    placement: railwayKind.resolvePlacement(railwayKind.parse({ railway: settings }).config, undefined),
  };
  let gone = false;
  const end = async () => {
    if (!gone) await railway.close();
    gone = true;
  };
  const place: PlaceUnderTest = {
    raw: { railway: settings },
    rawWithUnknownKey: { railway: { ...settings, replace: CANARY } },
    address: (key) => ({ placement, key }),
    stored: async (key) => (await railway.state.storedVariables({ service }))[key] ?? null,
    put: async (key, value) => {
      await railway.state.setVariables({ service, variables: { [key]: value } });
    },
    writes: async () => (await railway.log.writes()).length,
    fault: async (fault) => {
      if (fault === "is-gone") await end();
      else await railway.faults.add(faultOf(fault));
    },
    stop: end,
  };
  simulators.set(place, railway);
  return place;
}

function faultOf(fault: Exclude<PlaceFault, "is-gone">): Parameters<RailwaySimulator["faults"]["add"]>[0] {
  switch (fault) {
    case "refuses-write":
      return {
        kind: "graphql-error",
        operation: WRITES,
        message: `Error in ${CANARY} - Invalid input`,
        code: "BAD_USER_INPUT",
      };
    case "throttles-write":
      return { kind: "rate-limited", operation: WRITES, retryAfterSeconds: 3 };
    case "silent-on-write":
      return { kind: "slow", operation: WRITES, hold: "answer" };
    case "loses-answer-to-write":
      return { kind: "dropped-connection", operation: WRITES, applied: true };
    case "silent-on-read":
      return { kind: "slow", operation: "variables", hold: "request" };
  }
}
