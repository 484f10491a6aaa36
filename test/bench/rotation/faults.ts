/**
 * What goes wrong during a rotation, one thing at a time. Each fault looks afterwards whether it took effect: one that did
 * nothing would count as survived.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Fault } from "../../../src/simulator/railway/faults/fault.ts";
import type { RotationPlaces } from "./places.ts";
import type { Rotating, World } from "./world.ts";

export interface Spoiling {
  readonly world: World;
  readonly places: RotationPlaces;
  readonly rotating: Rotating;
}

export interface RotationFault {
  readonly name: string;
  /** Who a stall must name; null where it may not stall. */
  readonly stalls: string | null;
  /** Ends with the rotation at the latest. Throws when nothing was spoiled. */
  spoil(told: Spoiling): Promise<void>;
}

const MIN_KILLS = 3;
const CUT_MS = 10_000;

export const FAULTS: readonly RotationFault[] = [
  {
    name: "worker killed at random",
    stalls: null,
    async spoil({ world, rotating }) {
      let kills = 0;
      while (!rotating.isOver()) {
        await delay(1_000 + 7_000 * Math.random());
        if (rotating.isOver()) break;
        await world.killWorker();
        kills += 1;
      }
      assertEffect(kills >= MIN_KILLS, `the worker was killed ${kills} times only`);
    },
  },
  {
    name: "verifier's deployment fails",
    stalls: "railway-verifier-2",
    spoil: (told) => failDeployment(told, "railway-verifier-2", 1),
  },
  {
    name: "caller's deployment fails twice",
    stalls: "railway-caller-1",
    spoil: (told) => failDeployment(told, "railway-caller-1", 2),
  },
  {
    name: "verifier restarts by itself in the middle",
    stalls: null,
    async spoil({ places, rotating }) {
      await rotating.reached("switch");
      const machine = places.machine("host-verifier");
      const before = machine.pid();
      await machine.restart();
      assertEffect(machine.pid() !== before, "the verifier did not restart");
      assertEffect(!rotating.isOver(), "the verifier restarted after the rotation");
    },
  },
  {
    name: "Railway moves a verifier by itself in the middle",
    stalls: null,
    async spoil({ places: { simulator }, rotating }) {
      const service = "railway-verifier-1";
      await rotating.reached("switch");
      const { deploymentId } = simulator.state.maintenance({ service });
      assertEffect(!rotating.isOver(), "the verifier was moved after the rotation");
      while (!rotating.isOver()) await delay(100);
      const moved = simulator.state.deployments({ service }).find(({ id }) => id === deploymentId);
      assertEffect(moved?.status === "SUCCESS" || moved?.status === "REMOVED", "the move did not succeed");
    },
  },
  {
    name: "an agent is cut off while callers change over",
    stalls: null,
    async spoil({ world: { line }, rotating }) {
      await rotating.reached("switch");
      line.silence("to-server", "to-client");
      line.cut();
      const before = line.passed("to-client");
      await delay(CUT_MS);
      const passed = line.passed("to-client") - before;
      const wasOver = rotating.isOver();
      line.speak();
      line.cut();
      assertEffect(passed === 0, "something passed the line");
      assertEffect(!wasOver, "the rotation ended without the agents");
    },
  },
  {
    name: "answers to writes are lost",
    stalls: null,
    spoil: ({ places, rotating }) =>
      armed(places, rotating, {
        kind: "gateway-timeout",
        applied: "yes",
        operation: "variableCollectionUpsert",
        times: 2,
      }),
  },
];

function failDeployment({ places, rotating }: Spoiling, service: string, times: number): Promise<void> {
  return armed(places, rotating, { kind: "deployment-fails", service, stage: "deploy", times });
}

/** Switched on until the rotation is over; by then all of it must have happened. */
async function armed({ simulator }: RotationPlaces, rotating: Rotating, fault: Fault): Promise<void> {
  const { faultId } = simulator.faults.add(fault);
  while (!rotating.isOver()) await delay(100);
  const left = simulator.faults.list().find((one) => one.id === faultId)?.left;
  simulator.faults.clear();
  assertEffect(left === 0, `${left} of the faults ${fault.kind} did not happen`);
}

function assertEffect(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(`a fault without effect: ${otherwise}`);
}
