/**
 * Programs that tests start as processes of their own, from TypeScript: each is bundled once per run, when a suite first
 * asks for it. Its start then costs an eighth of what it costs through a loader that looks up, reads and translates each
 * file for itself, and some suites start dozens.
 */
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, rename } from "node:fs/promises";
import { basename, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";
import { inject } from "vitest";

declare module "vitest" {
  export interface ProvidedContext {
    /** What this run has bundled; `child-program-setup.ts` makes and removes it. */
    readonly childPrograms: string;
  }
}

const ROOT = resolve(import.meta.dirname, "../..");

/** Packages are CommonJS in part, and ask for Node's own modules in that way. */
const REQUIRE = `import { createRequire as lockstepRequire } from "node:module"; const require = lockstepRequire(${JSON.stringify(pathToFileURL(join(ROOT, "package.json")).href)});`;

/** What looks for files beside itself finds them where its source stands. */
const ownUrls: Plugin = {
  name: "own-urls",
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const url = JSON.stringify(pathToFileURL(path).href);
      return { contents: source.replaceAll("import.meta.url", url), loader: "ts" };
    });
  },
};

/** Looks for a helper program of its own beside itself, and asks for a native part that few machines have. */
const ssh2WhereItIs: Plugin = {
  name: "ssh2-where-it-is",
  setup({ onResolve }) {
    onResolve({ filter: /^ssh2$/ }, () => ({ path: import.meta.resolve("ssh2"), external: true }));
  },
};

/** The JavaScript of `source`, an absolute path; for `node` alone. */
export async function childProgram(source: string): Promise<string> {
  const program = join(inject("childPrograms"), `${relative(ROOT, source).replaceAll(/[\\/]/g, "-")}.mjs`);
  if (existsSync(program)) return program;
  // Two suites may ask at once: whoever ends last puts the same in the place of the same.
  const draft = join(inject("childPrograms"), `${basename(source)}-${randomUUID()}`);
  await build({
    entryPoints: [source],
    outfile: draft,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    keepNames: true,
    banner: { js: REQUIRE },
    // Its main file asks for its parts in a way that no bundler follows.
    alias: { "jsonc-parser": "jsonc-parser/lib/esm/main.js" },
    plugins: [ownUrls, ssh2WhereItIs],
    logLevel: "error",
  });
  await rename(draft, program);
  return program;
}
