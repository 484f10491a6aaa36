/**
 * What a systemd unit says of its process's environment: `Environment=`, `EnvironmentFile=`, `UnsetEnvironment=`
 * (systemd.exec(5)), over the fragment and its drop-ins. An empty assignment takes back all before it. Pure.
 */
import type { Assigned } from "../../../core/copies/precedence.ts";
import { SecretValue } from "../../../core/secret-value.ts";

export interface UnitEnvironment {
  readonly assigned: readonly Assigned[];
  /** Absolute, in order; those that begin with `-` may be missing, which makes no difference here. */
  readonly environmentFiles: readonly string[];
  readonly unset: ReadonlySet<string>;
}

interface UnitNames {
  readonly unit: string;
  readonly home: string;
  readonly isUser: boolean;
}

export function unitEnvironment(
  files: readonly { readonly path: string; readonly text: string }[],
  names: UnitNames,
): UnitEnvironment {
  let assigned: Assigned[] = [];
  let environmentFiles: string[] = [];
  let unset: string[] = [];
  for (const { path, text } of files) {
    for (const { section, key, value, line } of directives(text)) {
      if (section !== "Service" && section !== "Socket") continue;
      if (key === "Environment") {
        const words = wordsOf(value);
        const found = words.flatMap((word): Assigned[] => {
          const at = word.indexOf("=");
          if (at < 1) return [];
          const text = specified(word.slice(at + 1), names);
          return [
            {
              file: path,
              line,
              key: word.slice(0, at),
              value: SecretValue.of(text),
              alone: words.length === 1,
            },
          ];
        });
        assigned = value === "" ? [] : [...assigned, ...found];
      }
      if (key === "EnvironmentFile") {
        const file = specified(unquoted(value.replace(/^-/, "")), names);
        environmentFiles = value === "" ? [] : [...environmentFiles, file];
      }
      if (key === "UnsetEnvironment")
        unset = value === "" ? [] : [...unset, ...wordsOf(value).filter((word) => !word.includes("="))];
    }
  }
  return { assigned, environmentFiles, unset: new Set(unset) };
}

interface Directive {
  readonly section: string;
  readonly key: string;
  readonly value: string;
  /** Where it begins, from 1. */
  readonly line: number;
}

/** systemd.syntax(7): comments are lines of their own, also between joined lines; a backslash at the end joins. */
function directives(text: string): readonly Directive[] {
  const found: Directive[] = [];
  let section = "";
  let joined: { text: string; line: number } | null = null;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const trimmed = raw.trim();
    if (/^[#;]/.test(trimmed)) continue;
    const begun: { text: string; line: number } = joined ?? { text: "", line: index + 1 };
    const isOpen = /\\\s*$/.test(raw);
    begun.text += isOpen ? `${raw.replace(/\\\s*$/, "")} ` : raw;
    joined = isOpen ? begun : null;
    if (isOpen) continue;
    const whole = begun.text.trim();
    const heading = /^\[([^\]]+)\]$/.exec(whole);
    if (heading !== null) section = heading[1] ?? "";
    const at = whole.indexOf("=");
    if (heading !== null || at < 1) continue;
    found.push({
      section,
      key: whole.slice(0, at).trim(),
      value: whole.slice(at + 1).trim(),
      line: begun.line,
    });
  }
  return found;
}

/** Quotes hold words together; `\` escapes outside single quotes. */
export function wordsOf(text: string): readonly string[] {
  return [...text.matchAll(/(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\])+/g)].map(([word]) => unquoted(word));
}

function unquoted(word: string): string {
  return word.replace(
    /'([^']*)'|"((?:\\.|[^"\\])*)"|\\(.)/g,
    (_all, single?: string, double?: string, escaped?: string) =>
      single ?? (double === undefined ? (escaped ?? "") : double.replaceAll(/\\(.)/g, "$1")),
  );
}

/** systemd.unit(5), "Specifiers": those that depend on nothing but the unit's name, its manager and the home. */
function specified(text: string, { unit, home, isUser }: UnitNames): string {
  const stem = unit.replace(/\.[a-z]+$/, "");
  const [prefix = "", instance = ""] = stem.split("@");
  const known: Readonly<Record<string, string>> = {
    "%": "%",
    n: unit,
    N: stem,
    p: prefix,
    i: instance,
    h: home,
    ...(isUser
      ? { E: `${home}/.config`, C: `${home}/.cache` }
      : { E: "/etc", C: "/var/cache", S: "/var/lib", L: "/var/log", t: "/run" }),
  };
  return text.replaceAll(/%(.)/g, (all, letter: string) => known[letter] ?? all);
}
