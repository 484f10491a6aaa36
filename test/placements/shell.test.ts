import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { shellFormat as format } from "../../src/adapters/placements/formats/shell.ts";
import { LockstepError } from "../../src/core/errors.ts";

const SHELLS = [
  "/bin/sh",
  "/bin/dash",
  "/bin/bash",
  "/bin/zsh",
  "/bin/ksh",
  "/bin/mksh",
  "/bin/busybox",
].filter((shell) => existsSync(shell));
const directory = mkdtempSync(join(tmpdir(), "lockstep-shell-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** What a program that is started after sourcing sees; null when the shell could not read the file. */
function sourced(shell: string, text: string, key: string): string | null {
  const file = join(directory, "env.sh");
  writeFileSync(file, text);
  const script = `. ./env.sh || exit 9; printf 'done:%s' "\${${key}-}"`;
  const argv = shell.endsWith("busybox") ? ["sh", "-c", script] : ["-c", script];
  // No PATH: whatever the text says, it starts no program.
  const { status, stdout } = spawnSync(shell, argv, {
    cwd: directory,
    env: { PATH: "/nonexistent" },
    encoding: "utf8",
    timeout: 5_000,
  });
  return status === 0 && stdout.startsWith("done:") ? stdout.slice("done:".length) : null;
}

const set = (text: string | null, value: string): string => format.write(text, new Map([["KEY", value]]));
const read = (text: string): string | undefined => format.read(text, ["KEY"]).get("KEY");

describe("what every shell here makes of our line", () => {
  const value = fc.string({
    unit: fc.constantFrom(
      "a",
      " ",
      "\t",
      "\n",
      "'",
      '"',
      "`",
      "$",
      "\\",
      "!",
      "#",
      "~",
      "*",
      "{",
      "é",
      "🔑",
      "=",
      ";",
    ),
    maxLength: 12,
  });
  it.each(SHELLS)("%s gives the value back", (shell) => {
    fc.assert(
      fc.property(value, (given) => {
        expect(sourced(shell, set("export A=1\n", given), "KEY")).toBe(given);
      }),
      { numRuns: 60 },
    );
  });
});

describe("what others wrote", () => {
  // A control against our own cutting: whenever we claim to know a value, every shell that reads the file agrees.
  it("is read as the shells read it, or refused", () => {
    const piece = fc.string({
      unit: fc.constantFrom(
        "a",
        " ",
        "'",
        '"',
        "\\",
        "\n",
        "$",
        "`",
        "#",
        ";",
        "=",
        ":",
        "~",
        "*",
        "(",
        ")",
        "&",
        "|",
      ),
      maxLength: 8,
    });
    const shells = SHELLS.filter((shell) => /\/(?:dash|bash|zsh)$/.test(shell));
    let compared = 0;
    fc.assert(
      fc.property(piece, piece, fc.constantFrom("export ", ""), (before, after, word) => {
        const text = `${before}\n${word}KEY=${after}\n`;
        let ours: string | undefined;
        try {
          ours = read(text);
        } catch (error) {
          expect(error).toMatchObject({ code: "TARGET_REFUSED" });
          return;
        }
        for (const shell of shells) {
          const theirs = sourced(shell, text, "KEY");
          if (theirs === null) continue;
          compared += 1;
          expect(theirs, `${shell}: ${JSON.stringify(text)}`).toBe(ours ?? "");
        }
      }),
      // Of 300 about 65 could be compared, and now and then fewer than 50.
      { numRuns: 1_000 },
    );
    expect(compared).toBeGreaterThan(50);
    expect(readdirSync(directory)).toEqual(["env.sh"]);
  });

  it.each([
    ["KEY=v; export KEY"],
    ['KEY="v"\nexport KEY\n'],
    ["export A=1 KEY=v B=2"],
    ['export "KEY=v"'],
    ["export KEY='v' # why"],
    ["export KEY\nKEY=\\v"],
    ["KEY=old\nKEY=v\n"],
    ["if true; then A=1; fi\nexport KEY=v"],
    ["f() { echo hi; }\ncase $- in *i*) ;; *) A=2 ;; esac\nexport KEY=v"],
    [": <<EOF >/dev/null\nKEY=inside\nEOF\nexport KEY=v"],
    ["A='\nKEY=inside\n'\nexport KEY=v"],
    ["A=$(echo KEY=x)\nexport KEY=v"],
    ["# KEY=comment\n: KEY=w\nexport KEY=v"],
  ])("is found in %j, and replaced where it stands", (text) => {
    expect(read(text)).toBe("v");
    const after = set(text, "it's new");
    expect(read(after)).toBe("it's new");
    expect(set(after, "it's new")).toBe(after);
    for (const shell of SHELLS) expect(sourced(shell, after, "KEY"), shell).toBe("it's new");
    const gone = format.write(after, new Map([["KEY", null]]));
    expect(read(gone)).toBeUndefined();
    for (const shell of SHELLS) expect(sourced(shell, gone, "KEY"), shell).toBe("");
  });

  it.each([
    ["in a branch", "if x; then KEY=v; fi"],
    ["in a loop", "while x; do export KEY=v; done"],
    ["in a function", "f() { KEY=v; }"],
    ["in a function with its word", "function f { KEY=v; }"],
    ["in a subshell", "(KEY=v)"],
    ["in a case", "case a in a) KEY=v ;; esac"],
    ["after &&", "x && KEY=v"],
    ["before ||", "KEY=v || x"],
    ["in the background", "KEY=v &"],
    ["in a pipe", "KEY=v | x"],
    ["computed", 'export KEY="$(date)"'],
    ["copied", 'export KEY="$OTHER"'],
    ["with a tilde", "KEY=~/x"],
    ["as =command of zsh", "KEY==ls"],
    ["added to", "KEY+=v"],
    ["as an array", "KEY=(a b)"],
    ["for one command", "KEY=v x"],
    ["read only", "readonly KEY=v"],
    ["declared", "declare -x KEY=v"],
    ["unset", "export KEY=v\nunset KEY"],
    ["read from elsewhere", "read -r KEY"],
    ["looped over", "for KEY in a b; do x; done"],
    ["set by default", ': "${KEY:=v}"'],
    ["evaluated", "eval 'KEY=v'"],
  ])("is refused rather than guessed when it is set %s", (_how, text) => {
    for (const attempt of [() => read(text), () => set(text, "x")]) {
      expect(attempt).toThrow(expect.objectContaining({ code: "TARGET_REFUSED" }));
    }
    expect(format.read(text, ["ANOTHER"]).size).toBe(0);
  });

  it.each([
    ["an open quote", "A='x"],
    ["an open branch", "if x; then"],
    ["an open here-document", "cat <<EOF\nx"],
    ["an unfinished line", "A=1 \\"],
    ["an unfinished list", "x &&\n"],
    ["Windows line ends", "A=1\r\nB=2\r\n"],
    ["an end before its end", "export A=1\nexit 0\n"],
    ["a stray fi", "fi"],
  ])("is not appended to when it has %s", (_what, text) => {
    expect(() => set(text, "x")).toThrow(expect.objectContaining({ code: "TARGET_REFUSED" }));
  });
});

describe("foreign bytes", () => {
  const profile = [
    "# ~/.profile: executed by the login shell",
    'if [ -n "$BASH_VERSION" ]; then',
    '    if [ -f "$HOME/.bashrc" ]; then . "$HOME/.bashrc"; fi',
    "fi",
    "PROMPT=$'\\e[1m> '",
    "for d in a b; do PATH=$PATH:$d; done; unset d",
    "alias ll='ls -l'  # list",
    "[[ $x =~ (a|b) ]] && echo `date`",
    'export A="${B:-$(echo "x)")}" C=$((1 << 2))',
    "last=1",
  ].join("\n");

  it("stay as they are", () => {
    const after = set(profile, "v");
    expect(after).toBe(`${profile}\nexport KEY='v'\n`);
    expect(set(after, "w")).toBe(`${profile}\nexport KEY='w'\n`);
    expect(format.write(after, new Map([["KEY", null]]))).toBe(`${profile}\n`);
  });

  it("beside ours on one line stay too", () => {
    const gone = (text: string) => format.write(text, new Map([["KEY", null]]));
    expect(gone("export A=1 KEY=2 B=3\n")).toBe("export A=1 B=3\n");
    expect(gone("KEY=1 A=2\n")).toBe("A=2\n");
    expect(gone("KEY=1; export KEY # ours\nA=1\n")).toBe("A=1\n");
    expect(gone("KEY=1; echo x\n")).toBe(":; echo x\n");
  });
});

it("no value that is refused stands in the error", () => {
  for (const value of ["canary\u0000", "canary\r", "canary\ud800"]) {
    expect(() => format.assertValue("KEY", value)).toThrow(LockstepError);
    expect(() => format.assertValue("KEY", value)).not.toThrow(/canary/);
  }
});
