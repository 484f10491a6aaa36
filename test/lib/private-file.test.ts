import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openAgentFiles } from "../../src/edges/agent/identity/agent-files.ts";
import { readPrivateFile } from "../../src/lib/private-file.ts";

let directory: string;

const rules = {
  maxBytes: 10,
  assertOurs(path: string, { mode }: { readonly mode: number }): void {
    if ((mode & 0o077) !== 0) throw new Error(`${path} is open`);
  },
  unsafe: (_path: string, why: string): Error => new Error(why),
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "lockstep-private-"));
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe("a private file", () => {
  it("is read, and one that is not there is null", async () => {
    const path = join(directory, "kept");
    await writeFile(path, "text", { mode: 0o600 });
    expect(await readPrivateFile(path, rules)).toBe("text");
    expect(await readPrivateFile(join(directory, "none"), rules)).toBeNull();
  });

  it("is refused as a link, a directory, too large, or open to others", async () => {
    const path = join(directory, "other");
    await writeFile(path, "text", { mode: 0o600 });
    await symlink(path, join(directory, "link"));
    await mkdir(join(directory, "room"));
    await writeFile(join(directory, "large"), "eleven bytes", { mode: 0o600 });
    await expect(readPrivateFile(join(directory, "link"), rules)).rejects.toThrow("symbolic link");
    await expect(readPrivateFile(join(directory, "room"), rules)).rejects.toThrow("not a file of ours");
    await expect(readPrivateFile(join(directory, "large"), rules)).rejects.toThrow("not a file of ours");
    await chmod(path, 0o640);
    await expect(readPrivateFile(path, rules)).rejects.toThrow("is open");
  });

  it("is refused at once as a pipe that nobody writes to, also among what an agent keeps", async () => {
    const state = join(directory, "state");
    await mkdir(state, { mode: 0o700 });
    execFileSync("mkfifo", ["-m", "600", join(state, "identity.json")]);
    await expect(readPrivateFile(join(state, "identity.json"), rules)).rejects.toThrow("not a file of ours");
    const files = await openAgentFiles(state, { create: false });
    await expect(files.read("identity.json")).rejects.toMatchObject({ code: "FILE_UNSAFE" });
  });
});
