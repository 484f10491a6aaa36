import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { planService } from "../../../src/edges/agent/install/install-agent.ts";
import { installedProgram } from "../../../src/edges/agent/install/installed-program.ts";
import { remarkOf, stablePath } from "../../../src/edges/agent/install/stable-path.ts";
import { startWords } from "../../../src/edges/agent/install/start-words.ts";
import { NO_POLICY } from "../../../src/edges/agent/policy/policy.ts";

const HOME = "/home/me";

/** A disk on which these paths lead elsewhere, and everything else is what it is. */
const disk = (links: Readonly<Record<string, string>>) => (path: string) => links[path] ?? path;

describe("the path of Node that a service names", () => {
  it.each([
    ["/opt/homebrew/Cellar/node/22.1.0/bin/node", "/opt/homebrew/opt/node/bin/node"],
    ["/opt/homebrew/Cellar/node@20/20.19.1/bin/node", "/opt/homebrew/opt/node@20/bin/node"],
    ["/usr/local/Cellar/node/22.1.0_1/bin/node", "/usr/local/bin/node"],
    [
      "/home/linuxbrew/.linuxbrew/Cellar/node/22.1.0/bin/node",
      "/home/linuxbrew/.linuxbrew/opt/node/bin/node",
    ],
    [`${HOME}/.nvm/versions/node/v20.19.0/bin/node`, `${HOME}/.nvm/current/bin/node`],
    ["/usr/local/n/versions/node/20.19.0/bin/node", "/usr/local/bin/node"],
    [
      `${HOME}/.local/share/mise/installs/node/22.1.0/bin/node`,
      `${HOME}/.local/share/mise/installs/node/22/bin/node`,
    ],
    [
      `${HOME}/.local/share/fnm/node-versions/v20.19.0/installation/bin/node`,
      `${HOME}/.local/share/fnm/aliases/default/bin/node`,
    ],
    [`${HOME}/.nodebrew/node/v20.19.0/bin/node`, `${HOME}/.nodebrew/current/bin/node`],
    [`${HOME}/.nvs/node/20.19.0/x64/bin/node`, `${HOME}/.nvs/default/bin/node`],
    ["/nix/store/abc-nodejs-20.19.0/bin/node", "/run/current-system/sw/bin/node"],
    ["/nix/store/abc-nodejs-20.19.0/bin/node", "/etc/profiles/per-user/me/bin/node"],
    ["/snap/node/9999/bin/node", "/snap/node/current/bin/node"],
    // The entry moves with it, or by itself.
    [
      `${HOME}/.nvm/versions/node/v20.19.0/lib/node_modules/lockstep/dist/main.js`,
      `${HOME}/.nvm/current/lib/node_modules/lockstep/dist/main.js`,
    ],
    [
      "/opt/homebrew/Cellar/lockstep/1.2.3/libexec/lib/node_modules/lockstep/dist/main.js",
      "/opt/homebrew/opt/lockstep/libexec/lib/node_modules/lockstep/dist/main.js",
    ],
    [
      `${HOME}/.local/share/pnpm/global/5/.pnpm/lockstep@1.2.3/node_modules/lockstep/dist/main.js`,
      `${HOME}/.local/share/pnpm/global/5/node_modules/lockstep/dist/main.js`,
    ],
  ])("%s is %s where that leads to it", (path, lasting) => {
    expect(stablePath(path, HOME, disk({ [lasting]: path }))).toEqual({ path: lasting, owner: null });
    // It leads to another release: then it would start what was not tried.
    const other = stablePath(path, HOME, disk({ [lasting]: "/elsewhere/node" }));
    expect(other.path).toBe(path);
    expect(other.owner).not.toBeNull();
  });

  it.each([
    [`${HOME}/.asdf/installs/nodejs/20.19.0/bin/node`, "asdf"],
    [`${HOME}/.volta/tools/image/node/20.19.0/bin/node`, "volta"],
    [`${HOME}/.nodenv/versions/20.19.0/bin/node`, "nodenv"],
    ["/run/user/1000/fnm_multishells/123_456/bin/node", "fnm"],
    [`${HOME}/.npm/_npx/0123abcd/node_modules/lockstep/dist/main.js`, "npx"],
    [`${HOME}/.cache/pnpm/dlx-123/node_modules/lockstep/dist/main.js`, "dlx"],
    ["/tmp/lockstep/dist/main.js", "temporary"],
    ["/opt/node-v20.19.0-linux-x64/bin/node", "one release"],
  ])("%s cannot be made to stay, and that is said", (path, owner) => {
    const found = stablePath(path, HOME, disk({}));
    expect(found.path).toBe(path);
    expect(found.owner).toContain(owner);
    expect(remarkOf(found, "node")).toContain("--node");
    expect(remarkOf(found, "lockstep")).toContain("after each upgrade");
  });

  it.each(["/usr/bin/node", "/usr/local/bin/node", "/opt/lockstep/dist/main.js", "/opt/homebrew/bin/node"])(
    "%s stays as it is, without a word",
    (path) => {
      const found = stablePath(path, HOME, disk({}));
      expect(found).toEqual({ path, owner: null });
      expect(remarkOf(found, "node")).toBeNull();
    },
  );

  it("is what a path of one's own leads to it by", () => {
    const target = `${HOME}/.asdf/installs/nodejs/20.19.0/bin/node`;
    expect(stablePath("/opt/own/node", HOME, disk({ "/opt/own/node": target }))).toEqual({
      path: "/opt/own/node",
      owner: null,
    });
  });
});

describe("a service and an upgrade", () => {
  let root: string;
  beforeEach(() => {
    root = realpathSync(mkdtempSync(join(tmpdir(), "lockstep-upgrade-")));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  function put(path: string, text = ""): string {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    chmodSync(path, 0o755);
    return path;
  }

  const planned = (program: readonly [string, ...string[]], platform: "linux" | "darwin") => {
    const options = {
      scope: "user",
      home: root,
      user: null,
      stateDirectory: `${root}/state`,
      policy: NO_POLICY,
    } as const;
    return planService(
      { ...options, program: [...program, "agent", "run"] },
      { platform, testOnlyDirectory: root },
    );
  };

  it.each(["linux", "darwin"] as const)(
    "that keeps the path keeps the service; one that takes it is seen (%s)",
    async (platform) => {
      const old = put(`${root}/Cellar/node/22.1.0/bin/node`);
      const entry = put(`${root}/it's 100% & <$HOME>/main.js`);
      mkdirSync(`${root}/opt`);
      symlinkSync(`${root}/Cellar/node/22.1.0`, `${root}/opt/node`);
      const { program } = await startWords([old, "--no-warnings", entry], null, root);
      expect(program.slice(0, 2)).toEqual([`${root}/opt/node/bin/node`, "--no-warnings"]);
      for (const [words, isLasting] of [
        [program, true],
        [[old, entry] as const, false],
      ] as const) {
        const plan = planned(words, platform);
        writeFileSync(plan.path, plan.content);
        expect(await installedProgram(plan.path)).toMatchObject({ path: plan.path, missing: [] });
        // As an upgrade does: a new directory, the link moved, the old one gone.
        const fresh = put(`${root}/Cellar/node/22.2.0/bin/node`);
        rmSync(`${root}/opt/node`);
        symlinkSync(dirname(dirname(fresh)), `${root}/opt/node`);
        rmSync(`${root}/Cellar/node/22.1.0`, { recursive: true });
        expect((await installedProgram(plan.path))?.missing).toEqual(isLasting ? [] : [old]);
        put(old);
        rmSync(entry);
        expect((await installedProgram(plan.path))?.missing).toEqual([entry]);
        put(entry);
      }
    },
  );

  it("is nothing where no service of ours is", async () => {
    expect(await installedProgram(`${root}/none.service`)).toBeNull();
    expect(await installedProgram(put(`${root}/theirs.service`, "ExecStart=/gone\n"))).toBeNull();
  });

  it("starts the Node that it is told, and refuses what is none, or too old", async () => {
    const entry = put(`${root}/main.js`);
    const { program, remarks } = await startWords(["/gone/node", entry], process.execPath, root);
    expect(program[0]).toBe(process.execPath);
    expect(remarks.join("\n")).not.toContain("--node");
    const older = put(`${root}/old-node`, "#!/bin/sh\necho v18.20.0\n");
    const other = put(`${root}/other`, "#!/bin/sh\necho hello\n");
    for (const [node, why] of [
      [older, "it is Node 18.20.0"],
      [other, "no absolute path of a Node"],
      [`${root}/none`, "no absolute path of a Node"],
      ["node", "no absolute path of a Node"],
    ] as const) {
      await expect(startWords(["/gone/node", entry], node, root)).rejects.toMatchObject({
        code: "INPUT_INVALID",
        message: expect.stringContaining(why) as unknown,
      });
    }
  });
});
