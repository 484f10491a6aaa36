/** A release as one directory: its program with its packages in a few files, its migrations, its package.json. */
import { chmod, copyFile, mkdir, readFile, symlink } from "node:fs/promises";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";

export interface ReleaseParts {
  /** Where its program is: JavaScript of `npm run build`, or the sources. */
  readonly sources: string;
  /** What is started by its path, below `sources`, with its ending. */
  readonly entries: readonly string[];
  /** Of the release, with package.json and migrations. */
  readonly root: string;
  readonly modules: string;
  /** In place of what a source says, by what its path ends with. */
  readonly changed?: Readonly<Record<string, (source: string) => string>>;
}

/** Into `directory`, which is made; `home`: where it will stand, if elsewhere. Entries become `dist/NAME.js`. */
export async function bundleRelease(
  { sources, entries, root, modules, changed = {} }: ReleaseParts,
  directory: string,
  home = directory,
): Promise<void> {
  await mkdir(directory, { mode: 0o755, recursive: true });
  await build({
    entryPoints: entries.map((name) => join(sources, name)),
    outdir: join(directory, "dist"),
    outbase: sources,
    chunkNames: "chunks/[hash]",
    bundle: true,
    splitting: true,
    platform: "node",
    format: "esm",
    target: "node20",
    keepNames: true,
    // Sources that stand elsewhere find no packages above themselves.
    nodePaths: [modules],
    // Packages are CommonJS in part, and ask for Node's own modules in that way.
    banner: {
      js: 'import { createRequire as lockstepRequire } from "node:module"; const require = lockstepRequire(import.meta.url);',
    },
    // Its main file asks for its parts in a way that no bundler follows.
    alias: { "jsonc-parser": "jsonc-parser/lib/esm/main.js" },
    // Looks for a helper program of its own beside itself, and asks for a native part that few machines have.
    external: ["ssh2"],
    plugins: [asItStands(sources, join(home, "dist"), changed)],
    logLevel: "error",
  });
  await chmod(join(directory, "dist", "main.js"), 0o755);
  await copyFile(join(root, "package.json"), join(directory, "package.json"));
  await symlink(join(root, "migrations"), join(directory, "migrations"));
  await symlink(modules, join(directory, "node_modules"));
}

/** What looks for files beside itself finds them where it would stand if it were not bundled. */
function asItStands(
  sources: string,
  dist: string,
  changed: Readonly<Record<string, (source: string) => string>>,
): Plugin {
  return {
    name: "as-it-stands",
    setup({ onLoad }) {
      onLoad({ filter: /\.[jt]s$/ }, async ({ path }) => {
        if (!path.startsWith(`${sources}/`)) return null;
        let source = await readFile(path, "utf8");
        for (const [ending, change] of Object.entries(changed))
          if (path.endsWith(ending)) source = change(source);
        const url = JSON.stringify(pathToFileURL(join(dist, relative(sources, path))).href);
        return {
          contents: source.replaceAll("import.meta.url", url),
          loader: path.endsWith(".ts") ? "ts" : "js",
        };
      });
    },
  };
}
