/**
 * "Railway": the simulator as a process of its own, which starts the service with its variables for every deployment.
 * Its builds take a second where Railway's take a minute; everything else is as the API has it.
 */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { connectToSimulator, type RemoteSimulator } from "../../simulator/railway/control/control-client.ts";
import type { Defaults } from "../../simulator/railway/options.ts";
import type { StartOptions } from "../../simulator/railway/start-options.ts";
import { startEdge } from "../edge.ts";
import { endChild, ownProgram, type Stage } from "../stage.ts";
import { type OpenPlace, serviceVariables } from "./place.ts";

const SECRET = "INTERNAL_AUTH_SECRET";
const DURATIONS = { initializingMs: 100, buildingMs: 700, deployingMs: 300, secondMs: 100 } as const;

export interface RailwayPlace extends OpenPlace {
  /** Somebody changes the variable in the dashboard, which deploys. */
  changeInDashboard(secret: string): Promise<void>;
}

interface Opened extends Defaults {
  readonly url: string;
  readonly simulator: RemoteSimulator;
  readonly serviceId: string;
}

export async function createRailwayPlace(stage: Stage, service: string): Promise<RailwayPlace> {
  const room = stage.room("railway");
  const portFile = join(room, "port");
  const edge = await startEdge(portFile);
  stage.atEnd(() => edge.close());
  let opened: Opened | null = null;
  const railway = (): Opened => {
    if (opened === null) throw new Error("Railway is not open yet");
    return opened;
  };
  return {
    service,
    address: edge.url,
    async open({ addresses, reportTo, secret }) {
      const variables = { ...serviceVariables(service, { addresses, reportTo }), [SECRET]: secret };
      opened = await launch(stage, service, { ...variables, PORT_FILE: portFile });
    },
    get target() {
      const { projectId, environmentId, serviceId, url } = railway();
      return [
        `${service}:`,
        "  railway:",
        `    project: ${projectId}`,
        `    environment: ${environmentId}`,
        `    service: ${serviceId}`,
        '    token: "${env:RAILWAY_TOKEN}"',
        `    endpoint: ${url} # the simulator's; leave it out for Railway's own`,
      ];
    },
    get variables() {
      return { RAILWAY_TOKEN: railway().projectToken };
    },
    async changeInDashboard(secret) {
      const { simulator } = railway();
      await simulator.state.setVariables({ service, variables: { [SECRET]: secret }, deploy: true });
    },
    async stored() {
      const { simulator } = railway();
      return (await simulator.state.storedVariables({ service }))[SECRET] ?? null;
    },
  };
}

async function launch(
  stage: Stage,
  service: string,
  variables: Readonly<Record<string, string>>,
): Promise<Opened> {
  const options: StartOptions = {
    durations: DURATIONS,
    processes: {
      [service]: {
        command: ["node", ownProgram("demo/services/service")],
        readyWhenItPrints: "is listening",
      },
    },
  };
  const file = join(stage.room("railway"), "options.json");
  writeFileSync(file, JSON.stringify(options), { mode: 0o600 });
  const child = stage.launch(process.execPath, [
    ownProgram("simulator/railway/main"),
    "--options",
    file,
    "--stop-with-stdin",
  ]);
  stage.atEnd(() => endChild(child));
  child.stderr?.resume();
  const { stdout } = child;
  if (stdout === null) throw new Error("the simulator has no output");
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: stdout }).once("line", resolve);
    child.once("exit", () => reject(new Error("the Railway simulator did not start")));
    child.once("error", () => reject(new Error("the Railway simulator cannot be started")));
  });
  rmSync(file);
  const { url, controlUrl, ...defaults } = JSON.parse(line) as Defaults & { url: string; controlUrl: string };
  const simulator = connectToSimulator(controlUrl);
  const { serviceId } = await simulator.state.addService({ name: service, variables, deployed: false });
  await simulator.state.deploy({ service });
  return { ...defaults, url, simulator, serviceId };
}
