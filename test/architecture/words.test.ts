/**
 * Words that readers who learned English at school stumble over do not come back: not into texts for users, nor into
 * comments. And pages name only files that exist.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "./imports.ts";

/** Whole words; a word that code may need as a name is no word for this list. */
const PLAIN: Readonly<Record<string, string>> = {
  mend: "fix",
  mends: "fixes",
  mended: "fixed",
  mending: "fixing",
  oftener: "more often",
  louder: "escalated",
  besides: "also, in addition to",
  wont: "usually",
};

const PAGES = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"];

function filesBelow(folder: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(?:ts|md|yml|hcl|service|conf)$/.test(name))
    .map((name) => `${folder}/${name}`);
}

/** `src/a.ts:3: "mend", say "fix"`. A name that is called, as in `besides(…)`, is code. */
function strangeWords(file: string, text: string): readonly string[] {
  const words = new RegExp(`\\b(${Object.keys(PLAIN).join("|")})\\b(?![('’])`, "gi");
  return text.split("\n").flatMap((line, index) =>
    [...line.matchAll(words)].map(([word]) => {
      return `${file}:${index + 1}: "${word}", say "${PLAIN[word.toLowerCase()]}"`;
    }),
  );
}

test("what is written for readers uses plain words", () => {
  const files = [...PAGES, ...filesBelow("src"), ...filesBelow("deploy")];
  expect(files.flatMap((file) => strangeWords(file, readFileSync(join(ROOT, file), "utf8")))).toEqual([]);
});

test.each([
  ["a comment", "/** Mend it. */", ['a.ts:1: "Mend", say "fix"']],
  ["a text on a later line", 'x;\nthrow "louder";', ['a.ts:2: "louder", say "escalated"']],
  ["a name that is called", "await besides(context)", []],
  ["a part of a word", "recommended, amended", []],
])("%s is judged by its words", (_what, text, found) => {
  expect(strangeWords("a.ts", text)).toEqual(found);
});

/** Paths with a folder in them, as links or in backticks, looked for beside the page, below `src`, and at the top. */
function missingFiles(page: string): readonly string[] {
  const text = readFileSync(join(ROOT, page), "utf8");
  const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, path = ""]) => path);
  const names = [...text.matchAll(/`((?:[\w.-]+\/)+[\w.-]+\.(?:ts|md|sql))`/g)].map(([, path = ""]) => path);
  const missesIn = (folders: readonly string[]) => (path: string) =>
    !folders.some((folder) => existsSync(join(ROOT, folder, path)));
  return [...links.filter(missesIn([dirname(page)])), ...names.filter(missesIn([dirname(page), "src", ""]))];
}

const decisions = readdirSync(join(ROOT, "src/decisions")).filter((name) => /^\d{4}-/.test(name));

test.each([
  ...["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "src/README.md", "src/app/README.md"],
  ...decisions.map((name) => `src/decisions/${name}`),
])("%s names files that exist", (page) => {
  expect(missingFiles(page)).toEqual([]);
});

test("every decision stands in the list", () => {
  const list = readFileSync(join(ROOT, "src/decisions/README.md"), "utf8");
  expect(decisions.filter((name) => !list.includes(`](${name})`))).toEqual([]);
});
