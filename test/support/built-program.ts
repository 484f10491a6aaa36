/**
 * The built program, bundled once per run: what `npm run build` made, in the same layout, with its packages in a few files.
 * A command then starts in half of the processor's time and a server in two fifths, and suites start hundreds. That what
 * was built also loads as it is, `test/architecture/built.test.ts` holds; a whole story runs it in `test/e2e/demo.test.ts`.
 */
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { rename, rm, symlink } from "node:fs/promises";
import { join, resolve } from "node:path";
import { inject } from "vitest";
import { bundleRelease } from "./bundled-release.ts";

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
  const entries = ENTRIES.map((name) => `${name}.js`);
  await bundleRelease(
    { sources: BUILT, entries, root: ROOT, modules: join(ROOT, "node_modules") },
    draft,
    home,
  );
  await symlink(join(BUILT, "agent-program"), join(draft, "dist", "agent-program"));
  // Two workers may bundle at once: whoever ends last keeps what is there.
  await rename(draft, home).catch(async (error: unknown) => {
    await rm(draft, { recursive: true });
    if (!existsSync(main)) throw error;
  });
  return main;
}
