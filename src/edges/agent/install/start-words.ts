/** The words by which a service starts this program: by paths that stay, as far as there are any. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { realpathSync } from "node:fs";
import { LockstepError } from "../../../core/errors.ts";
import { visibleLine } from "../../../lib/visible-text.ts";
import { remarkOf, stablePath } from "./stable-path.ts";

export interface StartWords {
  readonly program: readonly [string, ...string[]];
  /** What an upgrade would take away. */
  readonly remarks: readonly string[];
}

/**
 * `self`: node, its options, and the entry's file. `node`: instead of the first; null: that. Throws INPUT_INVALID for
 * what is no Node of this release or a newer one.
 */
export async function startWords(
  self: readonly [string, ...string[]],
  node: string | null,
  home: string,
  real: (path: string) => string | null = realOf,
): Promise<StartWords> {
  const [own, ...rest] = self;
  const entry = stablePath(rest.at(-1) ?? "", home, real);
  const program = node === null ? stablePath(own, home, real) : { path: node, owner: null };
  if (node !== null) await assertNode(node);
  const remarks = [remarkOf(program, "node"), remarkOf(entry, "lockstep")].filter((one) => one !== null);
  return {
    program: [program.path, ...rest.slice(0, -1), ...(rest.length === 0 ? [] : [entry.path])],
    remarks,
  };
}

function realOf(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}

/** One that is older than what runs now may not start it at all. */
async function assertNode(path: string): Promise<void> {
  const release = path.startsWith("/") ? await releaseOf(path) : null;
  const [major = 0, minor = 0] = release ?? [];
  if (release !== null && (major > 20 || (major === 20 && minor >= 19))) return;
  const why = release === null ? "it is no absolute path of a Node" : `it is Node ${release.join(".")}`;
  throw new LockstepError("INPUT_INVALID", `Cannot start the agent by ${visibleLine(path)}: ${why}.`, {
    hint: "Give --node the absolute path of a Node 20.19 or newer, for example /usr/bin/node.",
  });
}

async function releaseOf(path: string): Promise<readonly number[] | null> {
  const child = spawn(path, ["--version"], { env: {}, stdio: ["ignore", "pipe", "ignore"], timeout: 10_000 });
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => {
    said = `${said}${chunk.toString("latin1")}`.slice(0, 100);
  });
  try {
    await once(child, "close");
  } catch {
    return null;
  }
  const [, ...numbers] = /^v(\d+)\.(\d+)\.(\d+)/.exec(said) ?? [];
  return numbers.length === 0 ? null : numbers.map(Number);
}
