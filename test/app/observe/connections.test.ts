import { expect, it } from "vitest";
import type { InstancesObservation } from "../../../src/app/observe/observe-instances.ts";
import { withConnections } from "../../../src/app/observe/probe-binding.ts";

const lives = (replicas: number, state: "right" | "dormant" = "dormant"): InstancesObservation => ({
  verdict: { state },
  replicas,
  stored: {},
});
const http = { url: "https://api.example.com/" };

it.each([
  ["nobody can look", null, {}, undefined],
  ["one process", lives(1), {}, undefined],
  ["all replicas hold the same", lives(4, "right"), {}, undefined],
  ["two that may differ", lives(2), {}, 6],
  ["more was said already", lives(2), { connections: 9 }, 9],
  ["no more than a service bears", lives(40), {}, 30],
] as const)("connections where %s", (_what, seen, said, connections) => {
  const probe = { http: { ...http, ...said } };
  expect(withConnections(probe, seen)).toEqual(
    connections === undefined ? probe : { http: { ...probe.http, connections } },
  );
});

it("a command is asked once", () => {
  const probe = { command: { run: ["/bin/ask"] } };
  expect(withConnections(probe, lives(3))).toBe(probe);
});
