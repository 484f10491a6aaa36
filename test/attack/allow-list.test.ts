/**
 * Ruling 2 under attack: another user of the server's machine wants his program run by Lockstep. He may write somewhere
 * on the way: to the list, to a directory above it, to the program, to what it links to, or to its interpreter.
 */
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { readRootKey } from "../../src/adapters/crypto/root-key-file.ts";
import { commandsIn, createCommandIssuer } from "../../src/adapters/issuers/command/issuer.ts";
import type { LockstepError } from "../../src/core/errors.ts";
import { judgePath, judgeProgram } from "../../src/lib/trusted-path.ts";
import { secretText } from "../../src/settings/env-variables.ts";
import { itWhere } from "../support/it-where.ts";

const self = process.geteuid?.() ?? 0;
/** A directory whose every parent is closed to others; null: this machine's home is not. */
const home = judgePath(homedir(), { uid: self, sticky: false }).ok === true ? homedir() : null;

let root: string;
let at: string;
let list: string;
let program: string;

beforeAll(() => {
  root = mkdtempSync(join(home ?? tmpdir(), ".lockstep-allow-list-"));
});
afterAll(() => rmSync(root, { recursive: true }));
beforeEach(() => {
  at = mkdtempSync(join(root, "case-"));
  mkdirSync(join(at, "etc"));
  mkdirSync(join(at, "bin"));
  list = join(at, "etc", "commands");
  program = put("bin/issue", "#!/bin/sh\necho token-of-the-owner\n");
  writeFileSync(list, `${program}\n`, { mode: 0o644 });
});

function put(name: string, text: string, mode = 0o755): string {
  const path = join(at, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

async function issue(run = program): Promise<string> {
  const issuer = createCommandIssuer(commandsIn(list));
  const config = { run: [run], timeoutSeconds: 10 };
  try {
    const { value } = await issuer.issue(
      { config, inputs: {}, hide: () => undefined } as never,
      new AbortController().signal,
    );
    return value.reveal();
  } catch (error) {
    const { code, hint } = error as LockstepError;
    expect(hint).not.toBe("");
    return code;
  }
}

const where = itWhere(home !== null);

where("the control: a list and a program of one's own are used", async () => {
  expect(await issue()).toBe("token-of-the-owner");
});

const OPENED: readonly (readonly [string, () => unknown])[] = [
  ["the list's directory", () => chmodSync(join(at, "etc"), 0o777)],
  ["the list's directory, sticky as /tmp is", () => chmodSync(join(at, "etc"), 0o1777)],
  ["a directory further up", () => chmodSync(at, 0o775)],
  ["the list", () => chmodSync(list, 0o666)],
  ["the program", () => chmodSync(program, 0o775)],
  ["the program's directory", () => chmodSync(join(at, "bin"), 0o777)],
  [
    "where the program's name leads to",
    () => {
      mkdirSync(join(at, "open"));
      renameSync(program, join(at, "open", "issue"));
      chmodSync(join(at, "open"), 0o777);
      symlinkSync(join(at, "open", "issue"), program);
    },
  ],
  [
    "a hop between two links",
    () => {
      mkdirSync(join(at, "hop"));
      renameSync(program, join(at, "bin", "real"));
      symlinkSync("../bin/real", join(at, "hop", "issue"));
      symlinkSync("../hop/issue", program);
      chmodSync(join(at, "hop"), 0o777);
    },
  ],
  [
    "the program's interpreter",
    () => {
      const interpreter = put("bin/interpreter", "#!/bin/sh\necho token-of-the-attacker\n", 0o777);
      put("bin/issue", `#!${interpreter}\n`);
    },
  ],
  ["what env finds", () => put("bin/issue", "#!/usr/bin/env sh\necho token-of-somebody\n")],
];
for (const [what, open] of OPENED) {
  where(`ruling 2: whoever may write ${what} does not choose what runs`, async () => {
    open();
    expect(await issue()).toBe("ISSUER_REFUSED");
  });
}

where("ruling 2: a program behind links that nobody else may write is run", async () => {
  renameSync(program, join(at, "bin", "real"));
  symlinkSync("real", program);
  expect(await issue()).toBe("token-of-the-owner");
});

where("ruling 2: it is judged before each start, not once", async () => {
  expect(await issue()).toBe("token-of-the-owner");
  chmodSync(program, 0o757);
  expect(await issue()).toBe("ISSUER_REFUSED");
});

it("ruling 5: a root key and a setting's file below a directory that others may write are refused by name", async () => {
  const key = put("etc/root.key", `${Buffer.alloc(32, 7).toString("base64url")}\n`, 0o600);
  const env = { DATABASE_URL_FILE: put("etc/database", "postgres://x\n", 0o600) };
  expect(secretText(env, "DATABASE_URL")).toBe("postgres://x");
  expect(await readRootKey(key)).toHaveLength(32);
  chmodSync(join(at, "etc"), 0o777);
  await expect(readRootKey(key)).rejects.toMatchObject({ code: "ROOT_KEY_WRONG" });
  expect(() => secretText(env, "DATABASE_URL")).toThrow(/may write/);
  // As orchestrators mount them: a sticky directory, in which a link of root's or ours leads on.
  chmodSync(join(at, "etc"), 0o1777);
  expect(await readRootKey(key)).toHaveLength(32);
});

it("says what a missing program is, and judges one of the system", () => {
  expect(judgeProgram("/usr/bin/env", { uid: self, sticky: false }).ok).toBe(true);
  expect(judgeProgram("relative", { uid: self, sticky: false }).ok).toBe(false);
});
