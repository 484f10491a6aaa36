/**
 * The built program, bundled once per run: what `npm run build` made, in the same layout, with its packages in a few files.
 * A command then starts in half of the processor's time and a server in two fifths, and suites start hundreds. That what
 * was built also loads as it is, `test/architecture/built.test.ts` holds; a whole story runs it in `test/e2e/demo.test.ts`.
 */
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";
import { inject } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const BUILT = join(ROOT, "dist");

/** What `npm run build` makes, which `npm test` runs first. */
export const UNBUNDLED = join(BUILT, "main.js");
if (!existsSync(UNBUNDLED)) throw new Error("there is no built program: run `npm run build` first");

/** Programs of the release that are started by their path. */
const ENTRIES = ["main", "demo/guard", "demo/services/service", "simulator/railway/main"];

/** The path of its `main.js`. */
export async function builtProgram(): Promise<string> {
  const home = join(inject("childPrograms"), "lockstep");
  const main = join(home, "dist", "main.js");
  if (existsSync(main)) return main;
  const draft = `${home}-${randomUUID()}`;
  await mkdir(draft, { mode: 0o755 });
  await build({
    entryPoints: ENTRIES.map((name) => join(BUILT, `${name}.js`)),
    outdir: join(draft, "dist"),
    outbase: BUILT,
    chunkNames: "chunks/[hash]",
    bundle: true,
    splitting: true,
    platform: "node",
    format: "esm",
    target: "node20",
    keepNames: true,
    // Packages are CommonJS in part, and ask for Node's own modules in that way.
    banner: {
      js: 'import { createRequire as lockstepRequire } from "node:module"; const require = lockstepRequire(import.meta.url);',
    },
    // Its main file asks for its parts in a way that no bundler follows.
    alias: { "jsonc-parser": "jsonc-parser/lib/esm/main.js" },
    // Looks for a helper program of its own beside itself, and asks for a native part that few machines have.
    external: ["ssh2"],
    plugins: [urlsBelow(join(home, "dist"))],
    logLevel: "error",
  });
  await chmod(join(draft, "dist", "main.js"), 0o755);
  await copyFile(join(ROOT, "package.json"), join(draft, "package.json"));
  for (const name of ["migrations", "node_modules"]) await symlink(join(ROOT, name), join(draft, name));
  // Two workers may bundle at once: whoever ends last keeps what is there.
  await rename(draft, home).catch(async (error: unknown) => {
    await rm(draft, { recursive: true });
    if (!existsSync(main)) throw error;
  });
  return main;
}

/** What looks for files beside itself finds them where it would stand if it were not bundled. */
function urlsBelow(directory: string): Plugin {
  return {
    name: "urls-below",
    setup({ onLoad }) {
      onLoad({ filter: /\.js$/ }, async ({ path }) => {
        if (!path.startsWith(`${BUILT}/`)) return null;
        const source = await readFile(path, "utf8");
        const url = JSON.stringify(pathToFileURL(join(directory, relative(BUILT, path))).href);
        return { contents: source.replaceAll("import.meta.url", url), loader: "js" };
      });
    },
  };
}
