/** Completion in the real shells, with names from a real server; and that it never disturbs who is typing. */
import { execFile } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify, stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LOCAL_ADMIN_SCOPES } from "../../src/core/access/permissions.ts";
import { completionModel } from "../../src/edges/cli/completion/model.ts";
import { buildProgram } from "../../src/edges/cli/syntax/program.ts";
import { runCli } from "../support/cli-kit.ts";
import { useDatabase } from "../support/database.ts";
import { createHttpKit, type HttpKit } from "../support/http-kit.ts";
import { createLoopKit, type LoopKit } from "../support/loop-kit.ts";
import { PROGRAM } from "../support/program-kit.ts";
import { findServer, lacks } from "../support/servers.ts";

const run = promisify(execFile);

const getDatabase = useDatabase();
let http: HttpKit;
let loop: LoopKit;
let directory: string;
let env: Record<string, string>;

beforeAll(async () => {
  loop = createLoopKit(getDatabase());
  http = await createHttpKit(loop.context);
  directory = await mkdtemp(join(tmpdir(), "lockstep-completion-"));
  env = {
    LOCKSTEP_URL: (await http.server.listen(0)).url,
    LOCKSTEP_TOKEN: await http.token(...LOCAL_ADMIN_SCOPES),
    LOCKSTEP_DATA: directory,
    HOME: directory,
    PATH: [directory, process.env["PATH"]].join(delimiter),
    TERM: "dumb",
  };
  for (const name of ["API_KEY", "INTERNAL_AUTH_SECRET"]) await loop.secret(name);
  for (const name of ["vps-1", "web"]) await loop.target(name);
  const program = join(directory, "lockstep");
  // As it is built: a person waits for it with each Tab.
  await writeFile(program, `#!/bin/sh\nexec '${process.execPath}' '${PROGRAM}' "$@"\n`);
  await chmod(program, 0o755);
  for (const shell of ["bash", "zsh", "fish"]) {
    await writeFile(join(directory, `script.${shell}`), (await runCli(["completion", shell])).stdout);
  }
  await writeFile(join(directory, "driver.zsh"), ZSH_DRIVER);
  await writeFile(join(directory, "some-file.yaml"), "");
});
afterAll(async () => {
  await http.server.close();
  await rm(directory, { recursive: true, force: true });
});

type Complete = (line: string) => Promise<readonly string[]>;

async function shell(
  name: "bash" | "zsh" | "fish",
  argv: readonly string[],
  input?: string,
): Promise<string> {
  const running = run(findServer(name) ?? name, [...argv], { env, cwd: directory });
  const { stdin } = running.child;
  // A shell that never reads may be gone before it is written to.
  stdin?.on("error", () => undefined);
  stdin?.end(input ?? "");
  return (await running).stdout;
}

/** A real line editor on a pseudo-terminal: types a line, asks for the list that Tab offers, and ends with a mark. */
const ZSH_DRIVER = String.raw`
zmodload zsh/zpty
zpty z env TERM=vt100 zsh -f -i
zpty -w z 'PS1=; PS2=; stty -echo cols 200 rows 100; autoload -Uz compinit; compinit -u -d ./dump; source ./script.zsh'
zpty -w z 'LISTMAX=1000; bindkey "^I" list-choices; bindkey "^X" kill-whole-line; print READY-$((40+2))'
text=
while [[ $text != *READY-42* ]]; do zpty -r z chunk || break; text+=$chunk; done
zpty -w -n z "lockstep $1"$'\t'
zpty -w z $'\x18'"print DONE-\$((40+2))"
text=
while [[ $text != *DONE-42* ]]; do zpty -r z chunk || break; text+=$chunk; done
print -r -- "$text"
`;

const lines = (text: string): readonly string[] => text.split(/\r?\n/).filter((line) => line !== "");

const SHELLS: Readonly<Record<"bash" | "zsh" | "fish", Complete>> = {
  bash: async (line) => {
    const words = ["lockstep", ...line.split(" ")].map((word) => `'${word}'`).join(" ");
    const script = `source ./script.bash; COMP_WORDS=(${words}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
      _lockstep; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return lines(await shell("bash", ["--norc", "--noprofile", "-uc", script]));
  },
  zsh: async (line) => {
    const seen = await shell("zsh", ["-f", "driver.zsh", line]);
    // Without the line itself, which the editor draws again and again.
    return stripVTControlCharacters(seen.replaceAll("\0", ""))
      .split(/[\r\n]+/)
      .filter((one) => !/^l?\s*lockstep |^p\s*rint|DONE/.test(one.trim()))
      .map((one) => one.split(" -- ")[0] ?? "");
  },
  fish: async (line) => {
    const quoted = `lockstep ${line}`.replaceAll("'", "\\'");
    const text = await shell("fish", ["--no-config", "-c", `source ./script.fish; complete -C '${quoted}'`]);
    return lines(text).map((one) => one.split("\t")[0] ?? "");
  },
};

/** What a line offers, and what it must not. */
const CASES: readonly { line: string; offers: readonly string[]; not?: readonly string[] }[] = [
  { line: "", offers: ["status", "rotate", "init"], not: ["__complete", "list"] },
  { line: "ro", offers: ["rotate", "rollout"], not: ["status"] },
  { line: "secret ", offers: ["list", "reveal", "destroy"], not: ["status"] },
  { line: "rotate --wa", offers: ["--wait"] },
  { line: "rotate --strategy ", offers: ["overlap", "replace"], not: ["API_KEY"] },
  { line: "rotate ", offers: ["API_KEY", "INTERNAL_AUTH_SECRET"], not: ["web"] },
  { line: "rotate --wait INT", offers: ["INTERNAL_AUTH_SECRET"], not: ["API_KEY"] },
  { line: "target test v", offers: ["vps-1"], not: ["web"] },
  { line: "import API_KEY --from ", offers: ["vps-1", "web"] },
  { line: "plan -f some", offers: ["some-file.yaml"] },
  { line: "history --secret API_KEY --target ", offers: ["web"], not: ["API_KEY"] },
  { line: "status -e ", offers: ["production"] },
];

describe.each(["bash", "zsh", "fish"] as const)("%s", (name) => {
  describe.skipIf(lacks(name))("completes", () => {
    test.each(CASES)("`lockstep $line`", async ({ line, offers, not = [] }) => {
      const tab = async () => (await SHELLS[name](line)).join("\n").split(/[\s]+/);
      let offered = await tab();
      // Names come from the server in time or not at all; on a busy machine a person presses Tab again.
      for (let more = 12; more > 0 && !offers.every((word) => offered.includes(word)); more -= 1)
        offered = await tab();
      expect(offered).toEqual(expect.arrayContaining([...offers]));
      for (const word of not) expect(offered).not.toContain(word);
    });

    test("the script is accepted as it is", async () => {
      const checked = name === "fish" ? ["--no-execute", "script.fish"] : ["-n", `script.${name}`];
      await expect(shell(name, checked)).resolves.toBe("");
    });
  });
});

describe("names for completion", () => {
  const complete = (what: string, more: Record<string, string> = {}) =>
    runCli(["__complete", what], { env: { ...env, ...more } });

  test("stand one per line", async () => {
    expect(await complete("secrets")).toMatchObject({
      exitCode: 0,
      stdout: "API_KEY\nINTERNAL_AUTH_SECRET\n",
    });
    expect((await complete("targets")).stdout).toBe("vps-1\nweb\n");
    expect((await complete("environments")).stdout).toBe("production\n");
  });

  test.each([
    ["no server", { LOCKSTEP_URL: "http://127.0.0.1:9" }],
    ["a refused token", { LOCKSTEP_TOKEN: "lsk_wrong_wrong" }],
    ["a server that is nowhere", { LOCKSTEP_URL: "" }],
  ])("are none with %s, without a word and in time", async (_, more) => {
    const started = performance.now();
    expect(await complete("secrets", more)).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
    expect(performance.now() - started).toBeLessThan(2_500);
  });

  test("leave out what a shell would expand", async () => {
    await loop.rows(
      "insert into secret (environment_id, name, policy) select environment_id, '$(touch pwned)', '{}' from secret limit 1",
    );
    expect((await complete("secrets")).stdout).toBe("API_KEY\nINTERNAL_AUTH_SECRET\n");
    await loop.rows("delete from secret where name like '$%'");
  });
});

test("no option takes a value in one command and none in another: fish asks for them by name alone", () => {
  const options = completionModel(buildProgram(() => undefined)).flatMap(({ options: own }) => own);
  const valued = new Set(options.filter(({ value }) => value !== null).map(({ long }) => long));
  const bare = options.filter(({ value }) => value === null).map(({ long }) => long);
  expect(bare.filter((long) => valued.has(long))).toEqual([]);
});
