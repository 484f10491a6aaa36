/**
 * `${env:NAME}` and `${file:path}` in a configuration: each is a whole credential, and stands in a credential's field
 * alone. Anywhere else a file that somebody proposes could carry the reader's environment and files into addresses,
 * names and texts that are stored and shown openly.
 *
 * Finding one reads nothing; `resolveReference` does, with the rights of whoever runs the CLI, when the credential's
 * destination is known. What it yields is never looked into again, and never shown. `$${` stands for a literal `${`.
 */
import { dirname, join, resolve } from "node:path";
import { unmeantEnds } from "../../../lib/hidden-text.ts";
import { readUserFile, textOf, UnreadableFile } from "../../../lib/user-file.ts";
import type { ConfigPath, ConfigProblem } from "../../../protocol/config-problem.ts";
import { didYouMean } from "../../../protocol/config-problem.ts";
import { isCredentialPath, type Unsent } from "../../../protocol/credentials.ts";
import type { UserInput } from "../user-input.ts";
import type { Plain } from "./yaml-source.ts";

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly homeDirectory: string;
  /** What relative paths of `-f` stand in; `${file:}` is relative to the file that names it. */
  readonly workingDirectory: string;
  /** What `-f` reads; files and pipes unless told. */
  readonly input?: UserInput;
}

export interface Reference {
  readonly kind: "env" | "file";
  readonly name: string;
  /** As it is written, to be shown. */
  readonly text: string;
  /** The configuration's file that holds it. */
  readonly file: string;
}

export interface GivenReference {
  /** Of the credential. */
  readonly path: ConfigPath;
  /** Of the target or channel that it belongs to. */
  readonly holder: ConfigPath;
  readonly reference: Reference;
}

/** By the mark that stands in a reference's place. */
export type References = ReadonlyMap<unknown, Reference>;

export type Refusal = Omit<ConfigProblem, "path">;

const MAX_FILE_BYTES = 64 * 1024;

// The empty and the unknown source are matched too, so that they are refused and do not travel as text.
const REFERENCE = /\$\$\{|\$\{([A-Za-z]*):([^}]*)\}/g;
const WHOLE = /^\$\{([A-Za-z]*):([^}]*)\}$/;

/** Answers a copy with marks in place of references; problems tell which may not stand where they do. */
export function findReferences(
  value: Plain,
  file: string,
): { readonly value: Plain; readonly references: References; readonly problems: readonly ConfigProblem[] } {
  const problems: ConfigProblem[] = [];
  const references = new Map<unknown, Reference>();
  const walk = (node: Plain, path: ConfigPath): Plain => {
    if (typeof node === "string") return text(node, path);
    if (Array.isArray(node)) return node.map((item, index) => walk(item, [...path, index]));
    if (node === null || typeof node !== "object") return node;
    return Object.fromEntries(
      Object.entries(node).map(([key, item]) => {
        const at = [...path, key];
        if (holdsReference(key)) problems.push({ path: at, ...NOT_IN_A_NAME });
        return [key, walk(item, at)] as const;
      }),
    );
  };
  const text = (node: string, path: ConfigPath): Plain => {
    const literal = node.replaceAll("$${", "${");
    if (!holdsReference(node)) return literal;
    const whole = WHOLE.exec(node);
    const refusal = whole === null || !isCredentialPath(path) ? misplaced(path) : badReference(whole);
    if (refusal !== null) {
      problems.push({ path, ...refusal });
      return literal;
    }
    const mark: Unsent = { unsent: "elsewhere" };
    const [, kind, name = ""] = whole ?? [];
    references.set(mark, { kind: kind === "file" ? "file" : "env", name, text: node, file });
    return mark;
  };
  return { value: walk(value, []), references, problems };
}

/** The credential, or why there is none. */
export async function resolveReference(
  { kind, name, file }: Reference,
  surroundings: Surroundings,
): Promise<string | Refusal> {
  return kind === "env" ? resolveEnv(name, surroundings.env) : resolveFile(name, { file, surroundings });
}

/** What came along when a credential was copied; whoever checks it would refuse the whole. */
const UNSEEN = "Take that out; it is not a part of the credential.";

function holdsReference(text: string): boolean {
  return [...text.matchAll(REFERENCE)].some(([found]) => found !== "$${");
}

const NOT_IN_A_NAME: Refusal = {
  message: "refers to the environment or a file in a name",
  remedy: "Write the name itself. For a literal ${ write $${.",
};

function misplaced(path: ConfigPath): Refusal {
  if (isCredentialPath(path)) {
    return {
      message: "mixes a reference with other text",
      remedy: "Let ${env:NAME} or ${file:path} be the whole credential.",
    };
  }
  const section = path[0] === "environments" ? path[2] : path[0];
  return {
    message: "refers to the environment or a file, which only credentials may",
    remedy:
      section === "targets" || section === "alerts"
        ? "Write it out; ${env:NAME} and ${file:path} stand for a token, a private key, a password or a channel's secret. For a literal ${ write $${."
        : "Give a secret's value with `lockstep secret set`, never in lockstep.yaml. For a literal ${ write $${.",
  };
}

function badReference([, kind = "", name = ""]: RegExpExecArray): Refusal | null {
  if (kind === "env") {
    return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)
      ? null
      : { message: "names no environment variable after ${env:", remedy: "Write ${env:NAME}." };
  }
  if (kind !== "file") {
    return {
      message: "refers to something that is neither env nor file",
      remedy: `${didYouMean(kind, ["env", "file"]) ?? "Use ${env:NAME} or ${file:path}."} For a literal \${ write $\${.`,
    };
  }
  if (name === "") return { message: "names no file after ${file:", remedy: "Write ${file:path}." };
  if (!/^~[^/]/.test(name)) return null;
  return {
    message: "refers to another user's home directory",
    remedy: "Write the whole path, or ~/ for your own.",
  };
}

function resolveEnv(name: string, env: Surroundings["env"]): string | Refusal {
  const value = env[name];
  if (value !== undefined && value !== "") {
    const trouble = unmeantEnds(value);
    if (trouble === null) return value;
    return { message: `needs the environment variable ${name}, which ${trouble}`, remedy: UNSEEN };
  }
  const near = Object.keys(env).filter((known) => env[known] !== "");
  return {
    message: `needs the environment variable ${name}, which is ${value === "" ? "empty" : "not set"}`,
    remedy: didYouMean(name, near) ?? `Set ${name} where you run lockstep.`,
  };
}

async function resolveFile(
  name: string,
  { file, surroundings }: { readonly file: string; readonly surroundings: Surroundings },
): Promise<string | Refusal> {
  const expanded =
    name === "~" || name.startsWith("~/") ? join(surroundings.homeDirectory, name.slice(1)) : name;
  const path = resolve(dirname(resolve(surroundings.workingDirectory, file)), expanded);
  const refuse = (what: string, remedy: string) => ({
    message: `refers to the file ${name}, which ${what}`,
    remedy,
  });
  try {
    const content = textOf(await readUserFile(path, { maxBytes: MAX_FILE_BYTES, pipes: false }));
    if (content.includes("\0")) return refuse("is not UTF-8 text", "Name the right file.");
    // Editors and `echo` end a file with a newline that nobody means as part of a token.
    const value = content.replace(/\r?\n$/, "");
    if (value === "") return refuse("is empty", "Write the credential into it.");
    const trouble = unmeantEnds(value);
    return trouble === null ? value : refuse(trouble, UNSEEN);
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    return refuse(
      error.message,
      error.trouble === "too-large"
        ? "Name the right file."
        : "Check path and rights; relative paths begin where the configuration file is.",
    );
  }
}
