import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Connection, toConnection } from "../../../src/simulator/railway/api/connection.ts";
import { ManualClock } from "../../../src/simulator/railway/clock.ts";
import type { Fault } from "../../../src/simulator/railway/faults/fault.ts";
import { Simulation } from "../../../src/simulator/railway/simulation.ts";
import { isInProgress, isServing } from "../../../src/simulator/railway/world/deployment-rules.ts";
import type { Deployment } from "../../../src/simulator/railway/world/model.ts";
import { renderVariable } from "../../../src/simulator/railway/world/rendering.ts";
import { type ScopeChange, VariableStore } from "../../../src/simulator/railway/world/variable-store.ts";

const NAME = fc.constantFrom("A", "B", "C", "__proto__");

describe("rendering", () => {
  it("gives text without references back as it is", () => {
    fc.assert(
      fc.property(
        fc.string().filter((text) => !text.includes("${{")),
        (text) => {
          const world = { shared: new Map([["A", text]]), services: new Map() };
          expect(renderVariable(world, null, "A")).toBe(text);
        },
      ),
    );
  });

  it("ends, and leaves no reference that it could follow, whatever refers to whatever", () => {
    const reference = fc
      .tuple(fc.constantFrom("", "shared.", "one.", "two."), NAME)
      .map(([owner, name]) => `\${{${owner}${name}}}`);
    const scope = fc
      .array(
        fc.tuple(
          NAME,
          fc.array(fc.oneof(reference, fc.constantFrom("x", "-"))).map((parts) => parts.join("")),
        ),
      )
      .map((entries) => new Map(entries));
    fc.assert(
      fc.property(scope, scope, scope, NAME, (shared, one, two, name) => {
        const world = {
          shared,
          services: new Map([
            ["one", one],
            ["two", two],
          ]),
        };
        expect(renderVariable(world, "one", name)).toMatch(/^[x-]*$/);
      }),
    );
  });
});

describe("the store of variables", () => {
  const change = fc.record({
    scope: fc.constantFrom("", "service"),
    set: fc.uniqueArray(fc.record({ name: NAME, value: fc.string() }), { selector: ({ name }) => name }),
    remove: fc.array(NAME),
    replace: fc.boolean(),
  });

  /** Without sealing, as a plain map would do it. */
  function model(before: ReadonlyMap<string, string>, { set = [], remove = [], replace }: ScopeChange) {
    const after = new Map(
      replace === true ? [...before].filter(([name]) => set.some((one) => one.name === name)) : before,
    );
    for (const name of remove) after.delete(name);
    for (const { name, value } of set) after.set(name, value ?? "");
    return after;
  }

  it("agrees with a plain map, at present and before any number of writes", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
        const store = new VariableStore();
        const states = [
          new Map([
            ["", new Map<string, string>()],
            ["service", new Map<string, string>()],
          ]),
        ];
        for (const one of changes) {
          store.write([one], new Date(0));
          const last = states.at(-1) ?? new Map();
          states.push(new Map([...last, [one.scope, model(last.get(one.scope) ?? new Map(), one)]]));
        }
        for (const [index, state] of [...states].reverse().entries()) {
          for (const scope of ["", "service"]) {
            const stored = [...store.scope(scope, index)].map(([name, { value }]) => [name, value]);
            expect(new Map(stored as [string, string][])).toEqual(state.get(scope));
          }
        }
      }),
    );
  });
});

function isEnd({ status }: Deployment): boolean {
  return ["REMOVED", "SKIPPED", "FAILED", "CRASHED"].includes(status);
}

it("gives every item exactly once, in order, at any page size and in either direction", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer()),
      fc.integer({ min: 1, max: 7 }),
      fc.boolean(),
      (items, size, backwards) => {
        const seen: number[] = [];
        let cursor: string | null = null;
        for (;;) {
          const page: Connection<number> = toConnection(
            items,
            backwards ? { last: size, before: cursor } : { first: size, after: cursor },
            5,
            (item) => item,
          );
          const nodes = page.edges.map(({ node }) => node);
          if (backwards) seen.unshift(...nodes);
          else seen.push(...nodes);
          if (!(backwards ? page.pageInfo.hasPreviousPage : page.pageInfo.hasNextPage)) break;
          cursor = backwards ? page.pageInfo.startCursor : page.pageInfo.endCursor;
        }
        expect(seen).toEqual(items);
      },
    ),
  );
});

describe("deployments, whatever people and faults do to them", () => {
  const fault = fc.constantFrom<Fault>(
    { kind: "deployment-fails", stage: "build" },
    { kind: "deployment-fails", stage: "deploy" },
    { kind: "deployment-crashes", afterMs: 30 },
    { kind: "deployment-hangs", at: "BUILDING" },
    { kind: "deployment-skipped" },
    { kind: "deployment-needs-approval" },
  );
  const step = fc.oneof(
    fc.record({ does: fc.constant("fault" as const), fault }),
    fc.record({ does: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 2_000 }) }),
    fc.record({
      does: fc.constantFrom("deploy", "rollback", "cancel", "remove", "restart", "release", "crash", "sleep"),
      which: fc.nat(20),
    }),
  );

  it("keep the laws of their life", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const clock = new ManualClock();
        const simulation = new Simulation({ clock });
        const { world, platform, deployer, faults } = simulation;
        const service = world.addService("api", simulation.defaults.projectId);
        const instance = world.addInstance(service, simulation.environment(), {
          overlapSeconds: 1,
          drainingSeconds: 1,
        });
        deployer.settled(instance);
        const ends = new Map<Deployment, string>();
        const look = () => {
          for (const deployment of instance.deployments) {
            // An end stays an end, except that an ended deployment may still be taken away.
            const end = ends.get(deployment);
            if (end !== undefined && deployment.status !== "REMOVED") expect(deployment.status).toBe(end);
            if (isEnd(deployment)) ends.set(deployment, deployment.status);
            if (isServing(deployment)) expect(deployment.built).toBe(true);
          }
        };
        for (const one of steps) {
          if (one.does === "fault" && "fault" in one) faults.add(one.fault);
          else if (one.does === "wait" && "ms" in one) clock.advance(one.ms);
          else if ("which" in one) {
            const deployment = instance.deployments[one.which % instance.deployments.length];
            if (deployment !== undefined) act(one.does, deployment);
          }
          look();
        }
        function act(does: string, deployment: Deployment): void {
          if (does === "deploy") platform.deploy(instance, "person");
          else if (does === "rollback" && deployment.built) platform.rollback(deployment);
          else if (does === "cancel" && isInProgress(deployment)) platform.cancel(deployment);
          else if (does === "remove") deployer.remove(deployment);
          else if (does === "restart") deployer.restart(deployment);
          else if (does === "release") deployer.release(() => true);
          else if (does === "crash") deployer.crash(deployment);
          else if (does === "sleep") deployer.sleep(deployment);
        }
        // A deployment that began hanging-to-be parks only when it gets there: release, go on, release again.
        faults.clear();
        clock.advance(1_000_000);
        while (deployer.release(() => true) > 0) clock.advance(1_000_000);
        look();
        const unsettled = instance.deployments.filter(
          (one) => isInProgress(one) || one.status === "REMOVING",
        );
        expect(unsettled.map(({ status }) => status)).toEqual([]);
        expect(instance.deployments.filter(isServing).length).toBeLessThanOrEqual(1);
      }),
    );
  });
});
