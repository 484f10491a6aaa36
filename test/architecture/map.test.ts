/** The map in src/README.md shows every folder of the upper two floors, and none that is gone. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "./imports.ts";
import { tableRows } from "./pages.ts";

const map = new Set(tableRows("src/README.md").map(([name = ""]) => name.replace(/^`|\/?`$/g, "")));

function foldersBelow(folder: string): readonly string[] {
  return readdirSync(join(ROOT, "src", folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(folder, entry.name));
}

const upper = foldersBelow("");
const folders = [...upper, ...upper.flatMap(foldersBelow)];

test.each(folders)("%s has its line", (folder) => {
  expect(map).toContain(folder);
});

test("no line is about a folder that is gone", () => {
  const gone = [...map].filter((name) => !name.endsWith(".ts") && !folders.includes(name));
  expect(gone).toEqual([]);
});
