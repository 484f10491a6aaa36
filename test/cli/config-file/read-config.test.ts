import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LockstepError } from "../../../src/core/errors.ts";
import type { LocatedProblem } from "../../../src/edges/cli/config-file/located.ts";
import { readConfig } from "../../../src/edges/cli/config-file/read-config.ts";
import { UNREADABLE } from "./bad-configs.ts";
import { MEANINGLESS } from "./bad-meaning.ts";

let directory: string;
const CANARY = "canary-5f1c9e";

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "lockstep-config-"));
  await mkdir(join(directory, "home", ".ssh"), { recursive: true });
  await writeFile(join(directory, "home", ".ssh", "id_ed25519"), "line one\nline two\n");
  await writeFile(join(directory, "token.txt"), "from-a-file\n");
  await writeFile(join(directory, "empty.txt"), "\n");
  await writeFile(join(directory, "copied.txt"), "copied\u00a0\n");
  await writeFile(join(directory, "binary.bin"), Uint8Array.of(0xff, 0xfe, 0x00));
});

afterAll(() => rm(directory, { recursive: true, force: true }));

async function write(files: Readonly<Record<string, string>>): Promise<string[]> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  return Object.keys(files);
}

async function read(text: string | Readonly<Record<string, string>>) {
  const files = await write(typeof text === "string" ? { "lockstep.yaml": text } : text);
  const source = await readConfig(files, {
    env: { RAILWAY_TOKEN: CANARY, EMPTY: "", COPIED: "\uFEFFcopied" },
    homeDirectory: join(directory, "home"),
    workingDirectory: directory,
  });
  return { ...source, marked: source.config, ...(await source.resolve(() => true)) };
}

async function problemsOf(
  text: string | Readonly<Record<string, string>>,
): Promise<readonly LocatedProblem[]> {
  const error = await read(text).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof LockstepError)) throw new Error("expected the configuration to be refused");
  expect(error.code).toBe("CONFIG_INVALID");
  expect(error.message).not.toContain(CANARY);
  expect(JSON.stringify(error.details)).not.toContain(CANARY);
  return error.details["problems"] as readonly LocatedProblem[];
}

const GOOD = `environment: production
secrets:
  INTERNAL_AUTH_SECRET:
    generate: { random: { bytes: 32, encoding: base64url } }
    rotate: { every: 30d, strategy: overlap, settleFor: 24h }
    bindings:
      - { target: api, role: verifier }
      - { target: vps-1, role: caller, key: AUTH_SECRET, optional: true, drift: report }
targets:
  api:
    railway: { project: p, environment: e, service: s, token: "\${env:RAILWAY_TOKEN}" }
  vps-1:
    ssh: { host: vps.example.com, user: deploy, privateKey: "\${file:~/.ssh/id_ed25519}" }
    files: [{ path: /etc/app/env, format: systemd, mode: "0600" }]
`;

describe("a configuration that is well-formed", () => {
  it("is sorted by environment, with references resolved by the reader's rights", async () => {
    const { config } = await read(GOOD);
    const production = config.environments["production"];
    expect(production?.targets["api"]).toEqual({
      railway: { project: "p", environment: "e", service: "s", token: CANARY },
    });
    expect(production?.targets["vps-1"]?.["ssh"]).toMatchObject({ privateKey: "line one\nline two" });
    expect(production?.secrets["INTERNAL_AUTH_SECRET"]?.bindings).toHaveLength(2);
  });

  it("may say `environments:` for more, beside the default", async () => {
    const { config } = await read(`${GOOD}environments:
  staging:
    targets: { api: { railway: { project: q } } }
    secrets:
      X: { bindings: [{ target: api, role: both }, { target: api, environment: production, role: caller }] }
`);
    expect(Object.keys(config.environments)).toEqual(["production", "staging"]);
  });

  it("may be spread over files, and `locate` answers file and line of each part", async () => {
    const { config, locate } = await read({
      "a.yaml": "secrets:\n  A:\n    bindings: [{ target: t, role: both }]\n",
      "b.yaml": "# places\ntargets:\n  t:\n    ssh:\n      host: h\n",
    });
    expect(Object.keys(config.environments["production"]?.targets ?? {})).toEqual(["t"]);
    const path = ["environments", "production", "targets", "t", "ssh", "host"];
    expect(locate(path)).toEqual({ file: "b.yaml", line: 5, column: 7 });
    expect(locate(["environments", "production", "secrets", "A", "bindings", 0, "probe"])).toMatchObject({
      file: "a.yaml",
      line: 3,
    });
  });

  it("may use anchors and aliases for whole values", async () => {
    const { config } = await read(`secrets:
  A: { bindings: &both [{ target: t, role: both }] }
targets:
  t: { ssh: { host: h } }
  u: { ssh: { host: &host g, again: *host } }
`);
    expect(config.environments["production"]?.targets["u"]?.["ssh"]).toEqual({ host: "g", again: "g" });
  });

  it("takes a share of a life as people write it", async () => {
    const { config } = await read(`
targets: { t: { ssh: { host: h } } }
secrets:
  K: {}
  A:
    renew: { at: 0.50 }
    issue: { jwt: { key: K, algorithm: HS256, life: 1h, claims: { team: me } } }
`);
    expect(config.environments["production"]?.secrets["A"]?.renew?.at).toBe(0.5);
  });

  it("keeps what free maps hold as it is written", async () => {
    const { config } = await read(`
targets: { t: { ssh: { host: h } } }
secrets:
  K: {}
  A:
    issue:
      jwt:
        key: K
        algorithm: HS256
        life: 1h
        claims: { ver: "1.10", n: 1.1, big: 9007199254740991, yes: yes, no: NO, on: on, day: 2027-01-02, at: 12:30, v: 1.2.3, hex: "0x1F", under: 1_000, 1.10: key, t: true, nothing: null }
`);
    expect(config.environments["production"]?.secrets["A"]?.issue?.jwt?.claims).toEqual({
      ver: "1.10",
      n: 1.1,
      big: 9_007_199_254_740_991,
      yes: "yes",
      no: "NO",
      on: "on",
      day: "2027-01-02",
      at: "12:30",
      v: "1.2.3",
      hex: "0x1F",
      under: "1_000",
      "1.10": "key",
      t: true,
      nothing: null,
    });
  });

  it("keeps `$${` as text, and never looks into what a reference yields", async () => {
    await writeFile(join(directory, "nested.txt"), `\${env:RAILWAY_TOKEN}`);
    const { config } = await read(
      `targets: { t: { ssh: { a: "$\${env:X}", privateKey: "\${file:nested.txt}", c: "\${HOME}" } } }`,
    );
    expect(config.environments["production"]?.targets["t"]?.["ssh"]).toEqual({
      a: `\${env:X}`,
      privateKey: `\${env:RAILWAY_TOKEN}`,
      c: `\${HOME}`,
    });
  });

  it("ruling 31: reads what is chosen and marks the rest; of a pair that is not whole, nothing", async () => {
    const { marked, credentials, resolve } = await read(GOOD);
    const mark = { unsent: "elsewhere" };
    expect(marked.environments["production"]?.targets["api"]?.["railway"]).toMatchObject({ token: mark });
    expect(credentials.map(({ reference }) => reference.text)).toEqual([
      "${env:RAILWAY_TOKEN}",
      "${file:~/.ssh/id_ed25519}",
    ]);
    const { config, sent } = await resolve(() => true, { isWanted: ({ holder }) => holder[3] === "api" });
    expect(sent.map(({ holder }) => holder[3])).toEqual(["api"]);
    expect(config.environments["production"]?.targets["vps-1"]?.["ssh"]).toMatchObject({ privateKey: mark });

    const source = await readConfig(["lockstep.yaml"], {
      env: {},
      homeDirectory: join(directory, "home"),
      workingDirectory: directory,
    });
    const half = await source.resolve(() => true, { lenient: true });
    expect(half.unread.map(({ message }) => message)).toEqual([
      "needs the environment variable RAILWAY_TOKEN, which is not set",
    ]);
    expect(half.config.environments["production"]?.targets["api"]?.["railway"]).toMatchObject({
      token: { unsent: "unread" },
    });
  });

  it.each(["pipe", "device"])("ruling 31: waits for no %s that a reference names", async (kind) => {
    const path = kind === "device" ? "/dev/zero" : join(directory, "pipe");
    if (kind === "pipe") execFileSync("/bin/sh", ["-c", 'mkfifo "$0"', path]);
    const problems = await problemsOf(`targets: { t: { ssh: { privateKey: "\${file:${path}}" } } }`);
    expect(problems.map(({ message }) => message)).toEqual([
      `refers to the file ${path}, which is not a regular file`,
    ]);
  });
});

describe("a configuration that is refused", () => {
  it.each([...UNREADABLE, ...MEANINGLESS])(
    "names file, line, column, path and remedy for $name",
    async ({ text, at, where, says }) => {
      const problems = await problemsOf(text);
      expect(problems.map((problem) => `${problem.line}:${problem.column} ${problem.where}`)).toEqual([
        `${at} ${where}`,
      ]);
      const told = `${problems[0]?.message} ${problems[0]?.remedy}`;
      for (const part of says) expect(told).toContain(part);
      expect(problems[0]?.file).toBe("lockstep.yaml");
      expect(problems[0]?.remedy).not.toBe("");
    },
  );

  it("tells every problem at once, in the order of the file", async () => {
    const problems = await problemsOf(`secrets:
  A:
    bindings:
      - { target: nowhere, role: both }
      - { target: t, role: reader }
  B:
    bindigs: []
  C:
    bindings: [{ target: nowhere, role: both }]
targets:
  t: { ssh: { key: "\${env:NOT_THERE}", other: "\${file:nope}" } }
`);
    expect(problems.map(({ line }) => line)).toEqual([5, 7, 9, 11, 11]);
  });

  it("refuses one secret in two files, naming both", async () => {
    const problems = await problemsOf({
      "a.yaml": "secrets: { A: {} }\n",
      "b.yaml": "\nsecrets: { A: {} }\n",
    });
    expect(problems).toMatchObject([{ file: "b.yaml", line: 2, message: "is already in a.yaml line 1" }]);
  });

  it("does not call names missing that a broken file may hold", async () => {
    const problems = await problemsOf({
      "a.yaml": "secrets: { A: { bindings: [{ target: t, role: both }] } }\n",
      "b.yaml": 'targets: { t: { ssh: "\n',
    });
    expect(problems.map(({ file }) => file)).toEqual(["b.yaml"]);
  });

  it("stops at files that double themselves", async () => {
    const levels = Array.from({ length: 12 }, (_, i) => `  l${i + 1}: &l${i + 1} [${`*l${i},`.repeat(9)}]`);
    const problems = await problemsOf(`targets:\n  l0: &l0 [a]\n${levels.join("\n")}\n`);
    expect(problems.some(({ message }) => message === "is too large")).toBe(true);
  });

  it.each([
    ["a missing file", "missing.yaml", "does not exist"],
    ["a directory", "home", "is a directory"],
    ["no text", "binary.bin", "not UTF-8"],
  ])("says CONFIG_UNREADABLE for %s", async (_, file, reason) => {
    const reading = readConfig([file], { env: {}, homeDirectory: directory, workingDirectory: directory });
    await expect(reading).rejects.toMatchObject({
      code: "CONFIG_UNREADABLE",
      message: expect.stringContaining(reason),
    });
  });
});
