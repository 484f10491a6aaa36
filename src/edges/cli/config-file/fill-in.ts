/** Credentials into the places of their marks: read when they are wanted, kept here when they are not chosen. */
import type { Config } from "../../../protocol/config.ts";
import type { ConfigPath, ConfigProblem } from "../../../protocol/config-problem.ts";
import { type GivenReference, resolveReference, type Surroundings } from "./references.ts";

export interface Filled {
  readonly config: Config;
  /** What was put in. */
  readonly sent: readonly GivenReference[];
  /** What could not be read, with the reason; only with `lenient`. */
  readonly unread: readonly (ConfigProblem & Pick<GivenReference, "reference">)[];
  readonly problems: readonly ConfigProblem[];
}

/**
 * A target's credentials go together: when one is missing none of it is filled in. `isChosen` sees the value, because
 * the address of some is the credential itself.
 */
export async function fillIn(
  config: Config,
  credentials: readonly GivenReference[],
  {
    surroundings,
    isChosen,
    lenient,
  }: {
    readonly surroundings: Surroundings;
    readonly isChosen: (credential: GivenReference, value: string) => boolean;
    readonly lenient: boolean;
  },
): Promise<Filled> {
  const copy = structuredClone(config);
  const read = await Promise.all(
    credentials.map(async (credential) => ({
      credential,
      found: await resolveReference(credential.reference, surroundings),
    })),
  );
  const unreadable = read.flatMap(({ credential: { path, holder, reference }, found }) =>
    typeof found === "string" ? [] : [{ path, holder, reference, ...found }],
  );
  const halves = new Set(unreadable.map(({ holder }) => idOf(holder)));
  const sent: GivenReference[] = [];
  for (const { credential, found } of read) {
    if (typeof found !== "string" || halves.has(idOf(credential.holder))) {
      setAt(copy, credential.path, { unsent: "unread" });
    } else if (isChosen(credential, found)) {
      setAt(copy, credential.path, found);
      sent.push(credential);
    }
  }
  return { config: copy, sent, unread: lenient ? unreadable : [], problems: lenient ? [] : unreadable };
}

function setAt(root: unknown, path: ConfigPath, value: unknown): void {
  const parent = path
    .slice(0, -1)
    .reduce<unknown>((node, key) => (node as Record<string, unknown>)[key], root);
  (parent as Record<string, unknown>)[String(path.at(-1))] = value;
}

export function idOf(path: ConfigPath): string {
  return JSON.stringify(path);
}
