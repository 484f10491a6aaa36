/** That the benches can be started; what they measure is not part of the suite. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const run = promisify(execFile);
const MAIN = join(import.meta.dirname, "main.ts");

it("lists every bench with what it measures", async () => {
  const { stdout } = await run(process.execPath, ["--import", "tsx", MAIN, "--list"]);
  expect(stdout).toMatch(/^ssh +how many hosts/m);
});

it("answers an unknown name with the list, and exit code 64", async () => {
  const failed = await run(process.execPath, ["--import", "tsx", MAIN, "nothing"]).catch(
    (error: unknown) => error,
  );
  expect(failed).toMatchObject({ code: 64, stderr: expect.stringContaining("ssh") });
});
