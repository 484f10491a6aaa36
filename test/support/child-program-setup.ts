/** Vitest's global setup: a directory for the programs that this run's tests start (`child-program.ts`). */
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), "lockstep-test-programs-"));
  // Some are started as another user.
  await chmod(directory, 0o755);
  project.provide("childPrograms", directory);
  const remove = () => rm(directory, { recursive: true, force: true });
  // While it watches: the sources have changed.
  project.onTestsRerun(async () => {
    await remove();
    await mkdir(directory, { mode: 0o755 });
  });
  return remove;
}
