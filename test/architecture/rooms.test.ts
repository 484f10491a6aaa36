import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { filesBelow, importsOf, ROOT, sourceOf } from "./imports.ts";
import { tableRows } from "./pages.ts";
import { againstOrder, BASE_FOR_TWO, circlesOf, ROOMS, usedByFew } from "./rooms.ts";
import { stateIn } from "./state.ts";

const imports = filesBelow("src").flatMap((file) => importsOf(file));

test("rooms import only rooms that stand below them, and features no other feature", () => {
  expect(imports.map(againstOrder).filter((problem) => problem !== null)).toEqual([]);
});

test("every folder of app/ is a room, and the map has them in the same order", () => {
  const entries = readdirSync(join(ROOT, "src/app"), { withFileTypes: true });
  const folders = entries.filter((entry) => !entry.name.endsWith(".md")).map(({ name }) => name);
  expect(folders.sort()).toEqual([...ROOMS].sort());
  const names = tableRows("src/README.md").map(([name = ""]) => name.replaceAll("`", ""));
  expect(names.flatMap((name) => /^app\/(.+)\/$/.exec(name)?.[1] ?? [])).toEqual(ROOMS);
});

test("base/ holds only what three rooms use", () => {
  expect(usedByFew("base", imports).filter((file) => BASE_FOR_TWO[file] === undefined)).toEqual([]);
  expect(Object.keys(BASE_FOR_TWO).filter((file) => !usedByFew("base", imports).includes(file))).toEqual([]);
});

test("no module of app/ remembers anything", () => {
  const files = filesBelow("src/app");
  expect(files.flatMap((file) => stateIn(sourceOf(file)).map((line) => `${file}: ${line}`))).toEqual([]);
});

test("no files import each other in a circle", () => {
  expect(circlesOf(imports)).toEqual([]);
});

test("only main.ts lies at the top of src/, and nothing at the top of app/", () => {
  const loose = (folder: string) =>
    readdirSync(join(ROOT, folder), { withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
      .map(({ name }) => name);
  expect([loose("src"), loose("src/app")]).toEqual([["main.ts"], []]);
});

describe("the guard itself", () => {
  const found = (file: string, to: string) => importsOf(file, `import type { x } from "${to}";`);

  test.each([
    ["src/app/push/x.ts", "../rollouts/y.ts", "stands above"],
    ["src/app/drift/x.ts", "../agents/y.ts", "another feature"],
  ])("finds the import of %s", (file, to, why) => {
    expect(found(file, to).map(againstOrder)).toEqual([expect.stringContaining(why)]);
  });

  test("lets a feature use what stands below, and the named features", () => {
    expect(found("src/app/drift/x.ts", "../observe/y.ts").map(againstOrder)).toEqual([null]);
    expect(found("src/app/secrets/x.ts", "../renewals/y.ts").map(againstOrder)).toEqual([null]);
  });

  test.each([
    "let last = 0;",
    "export let last: number;",
    "const seen = new Map<string, number>();",
    "const seen: Set<string> = new Set();",
    "const KINDS = {\n  opened: new WeakMap(),\n};",
    "const all: string[] = [];",
  ])("finds what a module remembers: %s", (source) => {
    expect(stateIn(`${source}\n`)).toHaveLength(1);
  });

  test("lets constant tables and the state of one call stand", () => {
    expect(stateIn("const NONE: ReadonlyMap<number, string> = new Map();\n")).toEqual([]);
    expect(stateIn('const CODES: ReadonlySet<string> = new Set(["A"]);\n')).toEqual([]);
    expect(stateIn("const count = () => {\n  let n = 0;\n  const seen = new Set();\n};\n")).toEqual([]);
    expect(stateIn("function f() {\n  const seen = new Map();\n}\n")).toEqual([]);
  });

  test("finds what stands in base/ for two rooms", () => {
    const arrow = (room: string) => ({
      from: `src/app/${room}/x.ts`,
      to: "src/app/base/y.ts",
      typeOnly: true,
    });
    expect(usedByFew("base", ["push", "push", "jobs"].map(arrow))).toEqual(["y.ts"]);
    expect(usedByFew("base", ["push", "alerts", "jobs"].map(arrow))).toEqual([]);
  });

  test("finds circles of two and three files, and none in a diamond", () => {
    const arrow = (text: string) => {
      const [from = "", to = ""] = text.split(" ");
      return { from, to, typeOnly: true };
    };
    expect(circlesOf(["a b", "b a", "b c", "c d", "d e", "e c"].map(arrow))).toEqual([
      ["c", "d", "e"],
      ["a", "b"],
    ]);
    expect(circlesOf(["a b", "a c", "b d", "c d"].map(arrow))).toEqual([]);
  });
});
