import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CHILD_DEFAULTS,
  type ChildAction,
  type ChildEvent,
  type ChildSettings,
  type ChildState,
  type ChildTimer,
  newChild,
  stepChild,
} from "../../../src/edges/agent/child/child-machine.ts";

/** A world that answers the machine: one process, timers, and somebody who changes values and sends signals. */
class World {
  state: ChildState = newChild("v0");
  readonly settings: ChildSettings;
  readonly timers = new Set<ChildTimer>();
  readonly reports: string[] = [];
  /** Digest of the living process. */
  live: string | null = null;
  isSpawned = false;
  isTold = false;
  endedWith: number | null = null;
  spawns = 0;

  constructor(settings: Partial<ChildSettings> = {}) {
    this.settings = { ...CHILD_DEFAULTS, ...settings };
    this.take({ kind: "start" });
  }

  take(event: ChildEvent): void {
    const { state, actions } = stepChild(this.state, event, this.settings);
    this.state = state;
    for (const action of actions) this.#do(action);
  }

  #do(action: ChildAction): void {
    expect(this.endedWith, "nothing happens after the end").toBeNull();
    switch (action.kind) {
      case "spawn":
        expect(this.live, "a second child").toBeNull();
        this.live = action.digest;
        this.isSpawned = false;
        this.isTold = false;
        this.spawns += 1;
        break;
      case "send":
        expect(this.live).not.toBeNull();
        if (action.signal === "SIGTERM") this.isTold = true;
        if (action.signal === "SIGKILL") this.exits(137);
        break;
      case "set-timer":
        this.timers.add(action.timer);
        break;
      case "clear-timer":
        this.timers.delete(action.timer);
        break;
      case "report":
        this.reports.push(action.state);
        break;
      case "end":
        expect(this.live, "ended while a child lives").toBeNull();
        this.endedWith = action.code;
        this.timers.clear();
        break;
    }
  }

  spawned(): void {
    if (this.live === null || this.isSpawned) return;
    this.isSpawned = true;
    this.take({ kind: "spawned" });
  }
  exits(code: number): void {
    if (this.live === null) return;
    this.live = null;
    this.take({ kind: "exited", code });
  }
  fires(timer: ChildTimer): void {
    if (this.timers.delete(timer)) this.take({ kind: "timer", timer });
  }
  changes(digest: string): void {
    this.take({ kind: "changed", digest });
  }
  signals(signal: NodeJS.Signals, code: number): void {
    this.take({ kind: "signal", signal, code });
  }
  /** Until nothing happens by itself any more: children that were told end, time passes. */
  settle(): void {
    for (let turns = 0; turns < 100; turns += 1) {
      if (this.live !== null && !this.isSpawned) this.spawned();
      else if (this.live !== null && this.isTold) this.exits(143);
      else {
        const [timer] = this.timers;
        if (timer === undefined) return;
        this.fires(timer);
      }
    }
    throw new Error("it does not come to rest");
  }
}

const happening = fc.oneof(
  fc.constant((world: World) => world.spawned()),
  fc.constantFrom(0, 1, 137).map((code) => (world: World) => world.exits(code)),
  fc
    .constantFrom<ChildTimer>("settled", "kill", "retry")
    .map((timer) => (world: World) => world.fires(timer)),
  fc.constantFrom("v0", "v1", "v2").map((digest) => (world: World) => world.changes(digest)),
  fc
    .constantFrom<[NodeJS.Signals, number]>(
      ["SIGTERM", 143],
      ["SIGINT", 130],
      ["SIGHUP", 129],
      ["SIGUSR1", 138],
    )
    .map(
      ([signal, code]) =>
        (world: World) =>
          world.signals(signal, code),
    ),
);

describe("whatever happens in whatever order", () => {
  it("there is never a second child, nothing after the end, and rest means: the newest values, or over", () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 40 }), (happenings) => {
        const world = new World();
        for (const happen of happenings) happen(world);
        const spawns = world.spawns;
        const wasEnding = world.state.isEnding;
        world.settle();
        if (wasEnding) expect(world.spawns, "started again though it is to end").toBe(spawns);
        if (world.endedWith === null) {
          expect(world.live).toBe(world.state.wanted);
          expect(world.state.phase).toBe("running");
          expect(world.reports.at(-1)).toBe("running");
        } else expect(world.live).toBeNull();
      }),
      { numRuns: 5_000 },
    );
  });

  it("a child that is told to stop has a deadline", () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 40 }), (happenings) => {
        const world = new World();
        for (const happen of happenings) {
          happen(world);
          if (world.state.phase === "stopping") expect(world.timers.has("kill")).toBe(true);
          if (world.state.phase === "waiting") expect(world.timers.has("retry")).toBe(true);
          if (world.state.phase === "starting") expect(world.timers.has("settled")).toBe(true);
        }
      }),
      { numRuns: 5_000 },
    );
  });
});

function running(settings: Partial<ChildSettings> = {}): World {
  const world = new World(settings);
  world.settle();
  expect(world.reports).toEqual(["started", "running"]);
  return world;
}

describe("a change", () => {
  it("restarts with the newest values, once for many changes", () => {
    const world = running();
    world.changes("v1");
    world.changes("v2");
    world.changes("v3");
    world.exits(143);
    world.settle();
    expect([world.live, world.spawns]).toEqual(["v3", 2]);
  });

  it("to what it runs with already changes nothing", () => {
    const world = running();
    world.changes("v0");
    expect([world.isTold, world.spawns]).toEqual([false, 1]);
  });

  it("kills a program that does not listen, at its deadline", () => {
    const world = running();
    world.changes("v1");
    world.fires("kill");
    expect(world.live).toBe("v1");
  });

  it("that it fails with is reported and tried again, ever more slowly, and given up with its code", () => {
    const world = running({ maxStartFailures: 3 });
    world.changes("bad");
    world.exits(143);
    for (const turn of [1, 2]) {
      world.spawned();
      world.exits(1);
      expect(world.state.failures).toBe(turn);
      world.fires("retry");
    }
    world.spawned();
    world.exits(9);
    expect(world.endedWith).toBe(9);
    expect(world.reports.filter((state) => state === "failed")).toHaveLength(3);
  });

  it("backs off exponentially, up to its limit", () => {
    const settings = { ...CHILD_DEFAULTS, maxStartFailures: 99, minBackoffMs: 10, maxBackoffMs: 50 };
    let state: ChildState = { ...newChild("v"), phase: "starting", isFirst: false };
    const waits: number[] = [];
    for (let turn = 0; turn < 5; turn += 1) {
      const { state: waiting, actions } = stepChild(state, { kind: "exited", code: 1 }, settings);
      waits.push(...actions.flatMap((action) => (action.kind === "set-timer" ? [action.ms] : [])));
      state = { ...waiting, phase: "starting" };
    }
    expect(waits).toEqual([10, 20, 40, 50, 50]);
  });

  it("during a pause between failures is tried at once", () => {
    const world = running();
    world.changes("bad");
    world.exits(143);
    world.exits(1);
    expect(world.state.phase).toBe("waiting");
    world.changes("good");
    expect([world.live, world.state.failures]).toEqual(["good", 0]);
  });

  it("is only told where the program reads files again, and its environment is said to be the old one", () => {
    const world = running({ onChange: { signal: "SIGHUP" } });
    world.changes("v1");
    expect([world.live, world.state.digest, world.reports.at(-1)]).toEqual(["v0", "v0", "kept"]);
  });

  it("waits for the next start where restarts are off", () => {
    const world = running({ onChange: "none" });
    world.changes("v1");
    expect([world.isTold, world.live, world.reports.at(-1)]).toEqual([false, "v0", "kept"]);
  });
});

describe("the end", () => {
  it.each([0, 3, 137])("has the program's own code %i", (code) => {
    const world = running();
    world.exits(code);
    expect(world.endedWith).toBe(code);
  });

  it("comes at once when the first start fails", () => {
    const world = new World();
    world.exits(127);
    expect(world.endedWith).toBe(127);
  });

  it("comes after SIGTERM also while it is being restarted", () => {
    const world = running();
    world.changes("v1");
    world.signals("SIGTERM", 143);
    world.exits(143);
    expect([world.endedWith, world.spawns]).toEqual([143, 1]);
  });

  it("comes at once while nobody lives", () => {
    const world = running();
    world.changes("bad");
    world.exits(143);
    world.exits(1);
    world.signals("SIGINT", 130);
    expect(world.endedWith).toBe(130);
  });

  it("does not come of an interrupt that the program survives", () => {
    const world = running();
    world.signals("SIGINT", 130);
    world.changes("v1");
    world.exits(143);
    world.settle();
    expect(world.live).toBe("v1");
  });
});
