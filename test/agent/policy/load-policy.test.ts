import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import {
  defaultPolicyPath,
  loadPolicy,
  writeFirstPolicy,
} from "../../../src/edges/agent/policy/load-policy.ts";
import { itWhere } from "../../support/it-where.ts";

const uid = process.getuid?.() ?? 0;
let home: string;
let path: string;

beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), "lockstep-policy-")));
  path = join(home, "conf/agent-policy.yaml");
  mkdirSync(dirname(path), { mode: 0o755 });
  writeFileSync(path, "units: [app.service]\n", { mode: 0o644 });
});
afterEach(() => rmSync(home, { recursive: true }));

it("is read when nobody else could have written it", async () => {
  expect(await loadPolicy(path, uid)).toMatchObject({ path, policy: { units: ["app.service"] } });
});

it("that is missing is an answer, also with its directory", async () => {
  rmSync(dirname(path), { recursive: true });
  expect(await loadPolicy(path, uid)).toMatchObject({ text: null, policy: { files: [] } });
});

it.each<[string, () => void, RegExp]>([
  ["writable by the group", () => chmodSync(path, 0o664), /others than its owner may write it/],
  ["writable by all", () => chmodSync(path, 0o646), /others than its owner may write it/],
  [
    "in a directory that others may write",
    () => chmodSync(dirname(path), 0o775),
    /the directory .*conf is writable/,
  ],
  [
    "in a sticky directory of all",
    () => chmodSync(dirname(path), 0o1777),
    /the directory .*conf is writable/,
  ],
  ["below a directory that others may write", () => chmodSync(home, 0o777), /is writable by others/],
  [
    "a symbolic link",
    () => {
      renameSync(path, `${path}.real`);
      symlinkSync(`${path}.real`, path);
    },
    /symbolic link/,
  ],
  [
    "a directory",
    () => {
      rmSync(path);
      mkdirSync(path);
    },
    /not a regular file/,
  ],
  [
    "behind a linked directory that others may write",
    () => {
      mkdirSync(join(home, "open"), { mode: 0o755 });
      chmodSync(join(home, "open"), 0o777);
      renameSync(dirname(path), join(home, "open/conf"));
      symlinkSync(join(home, "open/conf"), dirname(path));
    },
    /open is writable by others/,
  ],
])("is refused when it is %s", async (_what, spoil, why) => {
  spoil();
  await expect(loadPolicy(path, uid)).rejects.toMatchObject({
    code: "FILE_UNSAFE",
    message: expect.stringMatching(why) as string,
  });
});

// Only root gives files away.
itWhere(uid === 0)("is refused when it, or a directory on the way, belongs to somebody else", async () => {
  chownSync(path, 65_534, 65_534);
  await expect(loadPolicy(path, 0)).rejects.toThrow(/belongs to the user with id 65534/);
  expect(await loadPolicy(path, 65_534)).toMatchObject({ policy: { units: ["app.service"] } });
  chownSync(path, 0, 0);
  chownSync(dirname(path), 65_534, 65_534);
  await expect(loadPolicy(path, 0)).rejects.toThrow(/belongs to somebody else/);
});

it("is written once, closed to others, and never over another", async () => {
  const first = join(home, "a/b/agent-policy.yaml");
  await writeFirstPolicy(first, "units: []\n", uid);
  expect((await loadPolicy(first, uid)).text).toBe("units: []\n");
  expect(statSync(first).mode & 0o022).toBe(0);
  await expect(writeFirstPolicy(first, "units: [evil.service]\n", uid)).rejects.toMatchObject({
    code: "ALREADY_EXISTS",
  });
  expect((await loadPolicy(first, uid)).text).toBe("units: []\n");
});

it("lies where only its owner can put it", () => {
  expect(defaultPolicyPath({ uid: 0, home: "/root" })).toBe("/etc/lockstep/agent-policy.yaml");
  expect(defaultPolicyPath({ uid: 501, home: "/Users/x" })).toBe(
    "/Users/x/.config/lockstep/agent-policy.yaml",
  );
});
