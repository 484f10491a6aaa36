/**
 * Looks through the folders that the configuration names for keys that hold a value of ours, or bear a managed key's
 * name. Reads, and says what it did not look at.
 */
import { LockstepError } from "../../../../core/errors.ts";
import type { JsonObject } from "../../../../core/json.ts";
import type { DiscoveredKey, Discovery, Interest } from "../../../../core/ports/discoverer.ts";
import { SecretValue } from "../../../../core/secret-value.ts";
import { mapLimited } from "../../../../lib/map-limited.ts";
import { boundedLine } from "../../../../lib/visible-text.ts";
import { withDeadline } from "../../../../lib/with-deadline.ts";
import { placeOf, type VaultConfig } from "../config.ts";
import { asTarget } from "../errors.ts";
import { whyNotPlain } from "../plain-path.ts";
import { neededRights } from "../probe/policy.ts";
import { type Data, dataOf } from "./map.ts";
import type { Place } from "./place.ts";

const MAX_DEPTH = 8;
const MAX_FOLDERS = 200;
const MAX_PATHS = 500;
const MAX_AT_ONCE = 4;
/** What a server lists is its own choice; people read this. */
const MAX_UNSEEN = 100;
const MAX_NAME_CHARS = 300;

type Unseen = Discovery["unseen"][number];

export async function discover(place: Place, interest: Interest, signal: AbortSignal): Promise<Discovery> {
  const { config } = place;
  const { paths, unseen } = await findPaths(place, signal);
  // The path itself too: a key that nobody bound may hold a value of ours.
  const all = [...new Set([config.path, ...paths])];
  // Each map is dropped as soon as it was looked at: all of them at once would be gigabytes.
  const reads = await mapLimited(all, MAX_AT_ONCE, async (path) => {
    try {
      const found = keysIn(config, path, await readAt(place, path, signal), interest);
      return { path, found, reason: null };
    } catch (error) {
      if (signal.aborted || path === config.path) throw error;
      const reason = error instanceof LockstepError ? error.message : "it could not be read";
      return { path, found: [], reason };
    }
  });
  return {
    found: reads.flatMap(({ found }) => found),
    unseen: bounded(config, [
      ...unseen,
      ...reads.flatMap(({ path, reason }): Unseen[] =>
        reason === null ? [] : [{ name: nameOf(config, path), reason }],
      ),
    ]),
  };
}

function bounded({ mount }: VaultConfig, unseen: readonly Unseen[]): readonly Unseen[] {
  const left = unseen.length - MAX_UNSEEN;
  if (left <= 0) return unseen;
  const reason = `${left} more names were not looked at either`;
  return [...unseen.slice(0, MAX_UNSEEN), { name: `more in ${mount}`, reason }];
}

function nameOf({ mount }: VaultConfig, path: string): string {
  return boundedLine(`path ${mount}/${path}`, MAX_NAME_CHARS);
}

async function readAt(place: Place, path: string, signal: AbortSignal): Promise<Data> {
  const at = { mount: place.config.mount, path };
  return await asTarget({ ...place.asking("read"), rights: lookingRights(place.config) }, async () =>
    dataOf(
      await withDeadline(signal, place.config.requestTimeoutMs, (limited) => place.line.kv.read(at, limited)),
    ),
  );
}

function lookingRights(config: VaultConfig) {
  const own = neededRights({ ...config, discover: [] });
  return neededRights(config).slice(own.length);
}

function keysIn(config: VaultConfig, path: string, data: Data, interest: Interest): readonly DiscoveredKey[] {
  const at = {
    placement: "",
    locationKey: placeOf({ ...config, path }),
    name: nameOf(config, path),
    file: null,
  };
  return Object.entries(data).flatMap(([key, value]): readonly DiscoveredKey[] => {
    if (typeof value !== "string") {
      if (!interest.keys.has(key)) return [];
      const reason = "it is no text in the map there";
      return [{ ...at, key, observed: { state: "unreadable", reason }, config: configOf(config, path) }];
    }
    const held = SecretValue.of(value);
    if (!interest.keys.has(key) && !interest.knows(held)) return [];
    return [{ ...at, key, observed: { state: "present", value: held }, config: configOf(config, path) }];
  });
}

function configOf({ address, namespace, caCertificate, mount }: VaultConfig, path: string): JsonObject {
  return {
    vault: {
      address,
      mount,
      path,
      ...(namespace === null ? {} : { namespace }),
      ...(caCertificate === null ? {} : { ca: caCertificate }),
    },
  };
}

interface Walk {
  readonly paths: readonly string[];
  readonly unseen: readonly Unseen[];
}

/** Level by level, so that what is cut is what lies deepest. A name may be a folder and a path at once. */
async function findPaths(place: Place, signal: AbortSignal): Promise<Walk> {
  const { config } = place;
  const paths = new Set<string>();
  const unseen: Unseen[] = [];
  const cut = new Set<string>();
  let listed = 0;
  let folders: readonly string[] = [...new Set(config.discover)];
  for (let depth = 0; folders.length > 0; depth += 1) {
    if (depth >= MAX_DEPTH) {
      cut.add(`folders deeper than ${MAX_DEPTH} levels are not looked into`);
      break;
    }
    const now = folders.slice(0, MAX_FOLDERS - listed);
    if (now.length < folders.length) cut.add(`no more than ${MAX_FOLDERS} folders are looked into`);
    listed += now.length;
    const names = await mapLimited(now, MAX_AT_ONCE, (folder) => listAt(place, folder, signal));
    const next: string[] = [];
    for (const [at, { found, reason }] of names.entries()) {
      const folder = now[at] ?? "";
      if (reason !== null) unseen.push({ name: nameOf(config, `${folder}/`), reason });
      for (const name of found) {
        const path = `${folder === "" ? "" : `${folder}/`}${name.replace(/\/$/, "")}`;
        const why = whyNotPlain(path);
        if (why !== null) unseen.push({ name: nameOf(config, path), reason: `its name ${why}` });
        else if (name.endsWith("/")) next.push(path);
        else if (paths.size < MAX_PATHS) paths.add(path);
        else cut.add(`no more than ${MAX_PATHS} paths are read`);
      }
    }
    folders = next;
  }
  return {
    paths: [...paths],
    // First, so that they are told whatever else is cut.
    unseen: [...[...cut].map((reason) => ({ name: `more in ${config.mount}`, reason })), ...unseen],
  };
}

async function listAt(
  place: Place,
  folder: string,
  signal: AbortSignal,
): Promise<{ readonly found: readonly string[]; readonly reason: string | null }> {
  const asking = { ...place.asking("look around"), rights: lookingRights(place.config) };
  try {
    const found = await asTarget(asking, () =>
      withDeadline(signal, place.config.requestTimeoutMs, (limited) =>
        place.line.kv.list({ mount: place.config.mount, path: folder }, limited),
      ),
    );
    return { found, reason: null };
  } catch (error) {
    if (signal.aborted || !(error instanceof LockstepError)) throw error;
    return { found: [], reason: `${error.message} ${error.hint}` };
  }
}
