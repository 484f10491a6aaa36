/** What a service of the agent is, whoever supervises it. */
import type { Policy } from "../policy/policy.ts";

export interface ServiceOptions {
  /** `system`: starts with the machine. `user`: starts with its user's session. */
  readonly scope: "system" | "user";
  /** Absolute words: node, the entry file, and `agent run` with its options. No secret: arguments are public. */
  readonly program: readonly [string, ...string[]];
  /** Of the user that the agent runs as, absolute. */
  readonly home: string;
  /** `system` only: runs as this user. Null: root. */
  readonly user: string | null;
  /** Where identity and cache lie, absolute. */
  readonly stateDirectory: string;
  readonly policy: Policy;
  /** What to know of the program's own paths. */
  readonly remarks?: readonly string[];
}

export interface ServiceFile {
  readonly content: string;
  readonly mode: number;
  /** What the person who installs should know of this very service. */
  readonly remarks: readonly string[];
}

/** A file that lacks these words in its first lines is somebody else's. */
export const OURS = "Written by `lockstep agent install`";

/** Directories that applying writes: each file is replaced in its own. Sorted, absolute, without repetition. */
export function writtenDirectories({ policy, home, stateDirectory }: ServiceOptions): readonly string[] {
  const named = policy.files.map(({ path }) => path.replace(/^~\//, `${home}/`));
  const parents = named.map((path) => path.slice(0, path.lastIndexOf("/")) || "/");
  return [...new Set([stateDirectory, `${home}/.lockstep`, ...parents])].sort();
}
