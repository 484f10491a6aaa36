/**
 * What is written to `.env` files, and what the models of their readers say, beside the programs themselves. Each program
 * is started once for many values: K0, K1, … in one file.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseEnv } from "node:util";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import {
  DOTENV_READERS,
  type DotenvReader,
  valueFor,
} from "../../src/adapters/placements/formats/dotenv-readers.ts";
import { formatFor } from "../../src/adapters/placements/formats/formats.ts";
import type { LockstepError } from "../../src/core/errors.ts";
import { npmDotenv } from "../support/npm-dotenv.ts";
import { lacks } from "../support/servers.ts";

const directory = mkdtempSync(join(tmpdir(), "lockstep-dotenv-"));
afterAll(() => rmSync(directory, { recursive: true }));

type Read = (text: string, count: number) => readonly (string | undefined)[];

const keys = (count: number) => Array.from({ length: count }, (_, index) => `K${index}`);
const fileOf = (text: string) => {
  const path = join(directory, "env");
  writeFileSync(path, text);
  return path;
};

/** python-dotenv expands from its own environment, which has nothing of ours. */
const python: Read = (text, count) => {
  const program = [
    "import json, sys",
    "from dotenv import dotenv_values",
    "print(json.dumps(dotenv_values(sys.argv[1])))",
  ].join("\n");
  const seen: unknown = JSON.parse(
    execFileSync("/usr/bin/python3", ["-c", program, fileOf(text)], { encoding: "utf8", stdio: "pipe" }),
  );
  return keys(count).map((key) => (seen as Record<string, string | undefined>)[key]);
};

const shell =
  (program: string): Read =>
  (text, count) => {
    const print =
      '. "$1"; i=0; while [ $i -lt $2 ]; do eval "printf \'%s\\\\0\' \\"\\$K$i\\""; i=$((i + 1)); done';
    const env = { PATH: "/usr/bin:/bin", LC_ALL: "C.UTF-8" };
    const words = ["-c", print, program, fileOf(text), String(count)];
    return execFileSync(program, words, { encoding: "utf8", env, stdio: ["ignore", "pipe", "ignore"] })
      .split("\0")
      .slice(0, count);
  };

const npm: Read = (text, count) => {
  const seen = npmDotenv(text);
  return keys(count).map((key) => seen.get(key));
};
const node: Read = (text, count) => {
  const seen = parseEnv(text);
  return keys(count).map((key) => seen[key]);
};

/**
 * The grammar of docker compose's env_file by its specification ("Env_file format") and the cases of compose-go's own
 * tests below. `release`: up to 2.20 any `#` begins a remark in a bare value, later one behind a blank alone.
 */
const compose =
  (release: "older" | "newer"): Read =>
  (text, count) => {
    const seen = new Map<string, string>();
    let rest = text;
    const take = (expression: RegExp): RegExpExecArray | null => {
      const found = expression.exec(rest);
      if (found !== null) rest = rest.slice(found[0].length);
      return found;
    };
    for (;;) {
      take(/^(?:\s|#[^\n]*)*/);
      const key = take(/^(?:export[ \t]+)?([\w.]+)[ \t]*[=:][ \t]*/)?.[1];
      if (key === undefined) break;
      const [, quote = "", inner = ""] =
        take(/^(')((?:[^'\\]|\\[\s\S])*)'/) ?? take(/^(")((?:[^"\\]|\\[\s\S])*)"/) ?? [];
      if (quote !== "") {
        const unescaped = inner.replaceAll(
          /\\([nrt"\\$])/g,
          (_, char: string) => ({ n: "\n", r: "\r", t: "\t" })[char] ?? char,
        );
        seen.set(key, quote === "'" ? inner : expanded(unescaped));
        continue;
      }
      const bare = take(/^[^\n]*/)?.[0] ?? "";
      seen.set(key, expanded((bare.split(release === "older" ? "#" : " #")[0] ?? "").trimEnd()));
    }
    return keys(count).map((one) => seen.get(one));
  };
const expanded = (value: string) => value.replaceAll(/\$(?:\{[^}]*\}|\w+)/g, "");

const REAL: Readonly<Record<DotenvReader, readonly Read[]>> = {
  dotenv: [npm],
  node: [node],
  "python-dotenv": [python],
  compose: [compose("older"), compose("newer")],
  sh: [shell("sh"), shell("bash"), shell("zsh")],
};

const units = [
  "a",
  "Z",
  "9",
  " ",
  "\t",
  "\n",
  '"',
  "'",
  "`",
  "\\",
  "$",
  "${",
  "}",
  "#",
  "=",
  ";",
  ":",
  "~",
  "%",
  "!",
  "é",
  "🔑",
  "n",
  "r",
  "u",
  "&",
];
const nasty = fc.string({ unit: fc.constantFrom(...units), maxLength: 9 });
const MANY = 150;
const fixed = [
  "${NOT}EXPANDED",
  "pa$$word",
  "$(date)",
  "it's",
  "it's $5",
  "a\"b'c",
  "a\\\\b",
  "a\\'b",
  "C:\\new",
  "a#b",
  "a #b",
  "#a",
  " a ",
  "",
  "!!",
  "a=b==",
  "~/x",
  "x:~",
  "two\nlines\n",
  "`id`",
  '"',
  "'",
  "\\",
  "a'b`c\"d",
];

function valuesWritten(reader: DotenvReader | undefined, before: string | null) {
  const format = formatFor({ format: "dotenv", reader });
  const held: string[] = [];
  let text = before ?? "";
  for (const value of [...fixed, ...fc.sample(nasty, MANY)]) {
    const key = `K${held.length}`;
    try {
      const next = format.write(text, new Map([[key, value]]));
      text = next;
      held.push(value);
    } catch (error) {
      expect(error).toMatchObject({ code: "VALUE_NOT_REPRESENTABLE" });
      if (value.length > 4) expect((error as LockstepError).message).not.toContain(value);
    }
  }
  return { text, held };
}

describe.skipIf(lacks("python-dotenv") || lacks("bash") || lacks("zsh"))("readers of .env files", () => {
  it.each([
    ["every reader", undefined, ""],
    ["every reader, on lines that stood bare", undefined, "bare"],
    ...DOTENV_READERS.flatMap(
      (reader) =>
        [
          [reader, reader, ""],
          [`${reader}, on lines that stood bare`, reader, "bare"],
        ] as const,
    ),
  ] as const)("what is written for %s is read right by it", (_, reader, standing) => {
    const before =
      standing === ""
        ? null
        : keys(MANY + fixed.length)
            .map((key) => `${key}=old\n`)
            .join("");
    const { text, held } = valuesWritten(reader, before);
    expect(held.length).toBeGreaterThan(100);
    for (const [name, reads] of Object.entries(REAL)) {
      if (reader !== undefined && reader !== name) continue;
      for (const read of reads) {
        const seen = read(text, held.length);
        for (const [index, value] of held.entries()) expect(seen[index], `${name}: ${index}`).toBe(value);
      }
    }
  });

  it("what a model says of text that somebody wrote, its reader reads", () => {
    for (const reader of DOTENV_READERS) {
      const told = fc
        .sample(nasty, 800)
        .filter((text) => !text.includes("\n"))
        .map((text) => ({ text, value: valueFor(reader, text) }))
        .filter((one) => one.value !== null);
      expect(told.length).toBeGreaterThan(100);
      const file = told.map(({ text }, index) => `K${index}=${text}\n`).join("");
      for (const read of REAL[reader]) {
        const seen = read(file, told.length);
        for (const [index, { text, value }] of told.entries())
          expect(seen[index], `${reader} on ${text}`).toBe(value);
      }
    }
  });
});

describe("what stands in a .env file", () => {
  const format = formatFor({ format: "dotenv" });

  // As compose-go's tests have them (dotenv/godotenv_test.go), besides its specification.
  it.each([
    ["K0=foo#bar\n", "older", "foo"],
    ["K0=foo #bar\n", "newer", "foo"],
    ["K0='$FOO'\n", "newer", "$FOO"],
    ['K0="a$FOO"\n', "newer", "a"],
    ['K0="a\\nb"\n', "newer", "a\nb"],
    ["K0: v\n", "newer", "v"],
  ] as const)("of %j compose's grammar makes what its own tests expect", (text, release, value) => {
    expect(compose(release)(text, 1)).toEqual([value]);
  });

  it.each([
    ["pa$$word", "compose expands it"],
    ["a#b", "python-dotenv takes all of it"],
    ["'a\\\\b'", "python-dotenv takes a backslash away"],
    ["'${A}'", "python-dotenv expands it"],
    ['"a\\rb"', "Node leaves it"],
    ["`a`", "python-dotenv takes the quotes for a part"],
  ])("is never in sync as %s (%s), until one reader is named", (written) => {
    const text = `A=1\nKEY=${written}\n`;
    expect(format.unclear?.(text, "KEY")).toMatch(/`reader` names the one that counts/);
    expect(format.unclear?.(text, "A")).toBeNull();
    const reader = formatFor({ format: "dotenv", reader: "node" });
    expect(reader.read(text, ["KEY"]).get("KEY") ?? null).toBe(parseEnv(text)["KEY"]);
  });

  it("is written anew where readers differ, though one of them sees the value already", () => {
    expect(format.write("KEY=pa$$word # why\n", new Map([["KEY", "pa$$word"]]))).toBe(
      "KEY='pa$$word' # why\n",
    );
  });

  it("stays bare where it stood bare and the value allows it, so that docker reads no quotes", () => {
    const bare = "KEY=old\nQUOTED='old'\n";
    const changes = new Map([
      ["KEY", "a+b/c=="],
      ["QUOTED", "a+b/c=="],
    ]);
    expect(format.write(bare, changes)).toBe("KEY=a+b/c==\nQUOTED='a+b/c=='\n");
    expect(format.write(bare, new Map([["KEY", "a b"]]))).toBe("KEY='a b'\nQUOTED='old'\n");
  });
});
