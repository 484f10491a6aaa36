/**
 * The agent's program as a server offers it. It is public, and the same for everybody; what binds a machine to it is its
 * digest: in the invitation, which a person carries over, and afterwards in an offer that the key signed which the agent
 * pinned. Each file is served under its digest, so an address never means another file.
 */
import { z } from "zod";

/** `node`: one file for Node 20.19 or newer. Otherwise a single executable, by Node's names of system and processor. */
export const PROGRAM_PLATFORMS = ["node", "linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"] as const;
export type ProgramPlatform = (typeof PROGRAM_PLATFORMS)[number];

/** Many times what an executable has. */
export const MAX_PROGRAM_BYTES = 512 * 1024 * 1024;

export const programFile = z.strictObject({
  runsOn: z.enum(PROGRAM_PLATFORMS),
  /** Lower-case hex, as `sha256sum` prints it. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z.int().min(1).max(MAX_PROGRAM_BYTES),
});
export type ProgramFile = z.output<typeof programFile>;

/** `1.20.3`, or `1.20.3-rc.1`. */
const release = z.string().regex(/^\d{1,6}\.\d{1,6}\.\d{1,6}(?:-[0-9A-Za-z.-]{1,40})?$/);

export const programOffer = z.strictObject({
  release,
  files: z.array(programFile).max(PROGRAM_PLATFORMS.length),
});
export type ProgramOffer = z.output<typeof programOffer>;

/** Sealed and signed like a bundle, for one agent and one request. */
export const offeredProgram = programOffer.extend({
  v: z.literal(1),
  kind: z.literal("program"),
  agentId: z.uuid(),
  storeId: z.uuid(),
  /** The request's own: an offer of yesterday is none. */
  nonce: z.string().regex(/^[A-Za-z0-9_-]{22}$/),
});

export const programRequest = z.strictObject({ v: z.literal(1), nonce: offeredProgram.shape.nonce });

/** Throws a TypeError for a system that no executable is made for. */
export function platformOf(system: string, processor: string): ProgramPlatform {
  const found = PROGRAM_PLATFORMS.find((one) => one === `${system}-${processor}`);
  if (found === undefined) throw new TypeError(`no executable is made for ${system}-${processor}`);
  return found;
}

/** Less than 0: `a` is older. A release with a word behind its numbers comes before the one without (semver.org, 11). */
export function compareReleases(a: string, b: string): number {
  const [one, other] = [partsOf(a), partsOf(b)];
  for (const [index, number] of one.numbers.entries()) {
    const difference = number - (other.numbers[index] ?? 0);
    if (difference !== 0) return difference;
  }
  if (one.word === other.word) return 0;
  if (one.word === "" || other.word === "") return one.word === "" ? 1 : -1;
  return one.word < other.word ? -1 : 1;
}

function partsOf(text: string): { readonly numbers: readonly number[]; readonly word: string } {
  const [numbers = "", ...word] = text.split("-");
  return { numbers: numbers.split(".").map(Number), word: word.join("-") };
}
