/**
 * `${env:NAME}` and `${file:path}` in the texts of a configuration, resolved by the CLI with its user's rights: the
 * server neither reads files nor its environment on anybody's word. What they yield is never looked into again, and
 * never shown. `$${` stands for a literal `${`.
 */
import { readFile, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { ConfigPath, ConfigProblem } from "../../../protocol/config-problem.ts";
import { didYouMean } from "../../../protocol/config-problem.ts";
import type { Plain } from "./yaml-source.ts";

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly homeDirectory: string;
  /** What relative paths of `-f` stand in; `${file:}` is relative to the file that names it. */
  readonly workingDirectory: string;
}

const MAX_FILE_BYTES = 64 * 1024;

// The empty and the unknown source are matched too, so that they are refused and do not travel as text.
const REFERENCE = /\$\$\{|\$\{([A-Za-z]*):([^}]*)\}/g;

/** Answers a copy with everything resolved; problems tell what could not be. */
export async function resolveReferences(
  value: Plain,
  source: { readonly file: string; readonly surroundings: Surroundings },
): Promise<{ readonly value: Plain; readonly problems: readonly ConfigProblem[] }> {
  const problems: ConfigProblem[] = [];
  const walk = async (node: Plain, path: ConfigPath): Promise<Plain> => {
    if (typeof node === "string") return text(node, path);
    if (Array.isArray(node)) return Promise.all(node.map((item, index) => walk(item, [...path, index])));
    if (node === null || typeof node !== "object") return node;
    const entries = Object.entries(node).map(
      async ([key, item]) => [key, await walk(item, [...path, key])] as const,
    );
    return Object.fromEntries(await Promise.all(entries));
  };
  const text = async (node: string, path: ConfigPath): Promise<string> => {
    let result = "";
    let end = 0;
    for (const match of node.matchAll(REFERENCE)) {
      result += node.slice(end, match.index);
      end = match.index + match[0].length;
      if (match[0] === "$${") {
        result += "${";
      } else if (!mayHoldReferences(path)) {
        problems.push({
          path,
          message: "refers to the environment or a file, which only targets and alerts may",
          remedy: "Give a secret's value with `lockstep secret set`, never in lockstep.yaml.",
        });
      } else {
        const found = await resolveOne(match[1] ?? "", match[2] ?? "", source);
        if (typeof found === "string") result += found;
        else problems.push({ path, ...found });
      }
    }
    return result + node.slice(end);
  };
  return { value: await walk(value, []), problems };
}

/** Secrets, bindings and names are stored openly and shown to everybody who may look: no value belongs there. */
function mayHoldReferences(path: ConfigPath): boolean {
  const section = path[0] === "environments" ? path[2] : path[0];
  return section === "targets" || section === "alerts";
}

type Refusal = Omit<ConfigProblem, "path">;

async function resolveOne(
  kind: string,
  name: string,
  source: { readonly file: string; readonly surroundings: Surroundings },
): Promise<string | Refusal> {
  if (kind === "env") return resolveEnv(name, source.surroundings.env);
  if (kind === "file") return resolveFile(name, source);
  return {
    message: "refers to something that is neither env nor file",
    remedy: `${didYouMean(kind, ["env", "file"]) ?? `Use \${env:NAME} or \${file:path}.`} For a literal \${ write $\${.`,
  };
}

function resolveEnv(name: string, env: Surroundings["env"]): string | Refusal {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    return { message: "names no environment variable after ${env:", remedy: `Write \${env:NAME}.` };
  }
  const value = env[name];
  if (value !== undefined && value !== "") return value;
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
  if (name === "") return { message: "names no file after ${file:", remedy: `Write \${file:path}.` };
  if (/^~[^/]/.test(name)) {
    return {
      message: "names another user's home directory",
      remedy: "Write the whole path, or ~/ for your own.",
    };
  }
  const expanded =
    name === "~" || name.startsWith("~/") ? join(surroundings.homeDirectory, name.slice(1)) : name;
  const path = resolve(dirname(resolve(surroundings.workingDirectory, file)), expanded);
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES) {
      return {
        message: `refers to the file ${name}, which is larger than 64 KiB`,
        remedy: "Name the right file.",
      };
    }
    const content = new TextDecoder("utf-8", { fatal: true }).decode(await readFile(path));
    // Editors and `echo` end a file with a newline that nobody means as part of a token.
    const value = content.replace(/\r?\n$/, "");
    if (value !== "") return value;
    return { message: `refers to the file ${name}, which is empty`, remedy: "Write the credential into it." };
  } catch (error) {
    return {
      message: `refers to the file ${name}, which ${whyUnreadable(error)}`,
      remedy: "Check path and rights; relative paths begin where the configuration file is.",
    };
  }
}

export function whyUnreadable(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return "does not exist";
    case "EACCES":
    case "EPERM":
      return "may not be read";
    case "EISDIR":
      return "is a directory";
    case "ERR_ENCODING_INVALID_ENCODED_DATA":
      return "is not UTF-8 text";
    default:
      return "cannot be read";
  }
}
