/**
 * What was built loads as it is, in plain Node: suites run it bundled, where a name that a package does not export, or a
 * file that was not built, may go unnoticed.
 */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { UNBUNDLED } from "../support/built-program.ts";

const BUILT = dirname(UNBUNDLED);
const SOURCES = join(BUILT, "../src");
/** Programs: to load one is to run it. */
const PROGRAMS =
  /^(?:main|composition\/agent-main|demo\/guard|demo\/picture\/main|demo\/services\/service|simulator\/railway\/main)\./;

/** Without their endings. */
const modulesBelow = (directory: string, ending: RegExp): readonly string[] =>
  readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((name) => ending.test(name) && !PROGRAMS.test(name))
    .map((name) => name.replace(ending, ""))
    .sort();

describe("the built program", () => {
  it("holds each source, and each loads with all that it imports", async () => {
    const modules = modulesBelow(SOURCES, /(?<!\.d)\.ts$/);
    expect(modules.length).toBeGreaterThan(500);
    const urls = modules.map((name) => pathToFileURL(join(BUILT, `${name}.js`)).href);
    const script = `
      const failed = [];
      for (const url of ${JSON.stringify(urls)})
        await import(url).catch((error) => failed.push(url + ": " + error.message));
      console.log(JSON.stringify(failed));
      process.exit();`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], {
      cwd: BUILT,
    });
    expect(JSON.parse(stdout)).toEqual([]);
  });

  it("asks for no module by a name that is made while it runs: a bundle would not hold it", () => {
    const made = modulesBelow(BUILT, /\.js$/).filter((name) =>
      /(?:await|return|=>)\s+import\((?!["'])/.test(readFileSync(join(BUILT, `${name}.js`), "utf8")),
    );
    expect(made).toEqual([]);
  });
});
