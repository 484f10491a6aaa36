import { describe, expect, test } from "vitest";
import { violations } from "./arrows.ts";
import { filesBelow, importsOf, sourceOf } from "./imports.ts";

const files = filesBelow("src");

describe("the tree", () => {
  test("has no import against the arrows", () => {
    const found = files.flatMap((file) => importsOf(file).flatMap(violations));
    expect(found).toEqual([]);
  });

  test("reads the environment in settings/ alone", () => {
    // hardening.ts deletes variables before anything else can read them; that is its purpose.
    // The demo's service is a program of its own, as a user's would be; the sdk reads its application's.
    const allowed = [
      "src/settings/settings.ts",
      "src/adapters/telemetry/hardening.ts",
      "src/demo/services/service.ts",
      "src/sdk/source/source.ts",
    ];
    const readers = files.filter(
      (file) => !allowed.includes(file) && /\bprocess\.env\b/.test(sourceOf(file)),
    );
    expect(readers).toEqual([]);
  });

  test("has no file beyond 300 lines", () => {
    const long = files.filter((file) => sourceOf(file).split("\n").length > 301);
    expect(long).toEqual([]);
  });
});

describe("the guard itself", () => {
  test.each([
    ["src/core/plan/x.ts", 'import { y } from "../../adapters/store/store.ts";'],
    ["src/core/x.ts", 'import { readFile } from "node:fs/promises";'],
    ["src/app/x.ts", 'import type { Pool } from "pg";'],
    ["src/app/x.ts", 'export { y } from "../edges/cli/run.ts";'],
    ["src/adapters/targets/railway/x.ts", 'import { y } from "../ssh/client.ts";'],
    ["src/adapters/queue/x.ts", 'import {\n  y,\n} from "../store/pool.ts";'],
    ["src/edges/http/x.ts", 'const y = await import("../../adapters/store/store.ts");'],
    ["src/edges/cli/x.ts", 'import { y } from "../../app/views/status.ts";'],
    ["src/protocol/x.ts", 'import "../core/errors.ts";'],
    ["src/demo/x.ts", 'import { y } from "../edges/cli/run.ts";'],
    ["src/demo/services/x.ts", 'import { y } from "../../lib/age.ts";'],
    ["src/edges/cli/x.ts", 'import { y } from "../../demo/demo.ts";'],
    ["src/simulator/x.ts", 'import { y } from "../core/errors.ts";'],
    ["src/lib/x.ts", 'import type { y } from "../protocol/api.ts";'],
    ["src/sdk/x.ts", 'import { y } from "../lib/pause.ts";'],
    ["src/sdk/verify/x.ts", 'import type { y } from "fastify";'],
    ["src/edges/http/x.ts", 'import type { y } from "../../sdk/verify.ts";'],
  ])("finds the forbidden import of %s", (file, source) => {
    expect(importsOf(file, source).flatMap(violations)).toHaveLength(1);
  });

  test("lets the stair from targets to hosts and placements stand", () => {
    const source =
      'import { x } from "../../placements/files.ts";\nimport { y } from "../../hosts/ssh/host.ts";';
    expect(importsOf("src/adapters/targets/ssh/target.ts", source).flatMap(violations)).toEqual([]);
  });
});

test("the agent may use placements, probes and its own machine, and no other adapter", () => {
  const source = (to: string) => `import { x } from "../../adapters/${to}.ts";`;
  const found = (file: string, to: string) => importsOf(file, source(to)).flatMap(violations);
  expect(found("src/edges/agent/x.ts", "placements/placement")).toEqual([]);
  expect(found("src/edges/agent/x.ts", "probes/dial")).toEqual([]);
  expect(found("src/edges/agent/x.ts", "hosts/local/local-host")).toEqual([]);
  expect(found("src/edges/agent/x.ts", "hosts/ssh/ssh-host")).toHaveLength(1);
  expect(found("src/edges/agent/x.ts", "store/pool")).toHaveLength(1);
  expect(found("src/edges/http/x.ts", "placements/placement")).toHaveLength(1);
});

test("main.ts hardens the process before it imports anything else", () => {
  expect(importsOf("src/main.ts")[0]?.to).toBe("src/adapters/telemetry/before-all.ts");
});
