/** The KV v1 secrets engine: whole maps, without versions. What is written in the form of v2 is stored as it is. */
import type { Features } from "../modes.ts";
import { Backend, type EngineRequest } from "../wire/backend.ts";
import { Refused } from "../wire/reply.ts";
import { namesBelow } from "./folders.ts";

export type Kv1Entries = Map<string, Readonly<Record<string, unknown>>>;

export function kv1Backend(entries: Kv1Entries, features: Features): Backend {
  const write = ({ at: { path = "" }, data }: EngineRequest): null => {
    if (path === "") throw new Refused(400, "missing path");
    if (Object.keys(data).length === 0) throw new Refused(400, "missing data fields");
    entries.set(path, data);
    return null;
  };
  // The engine takes any field, so none is unknown to it.
  const quiet = { ...features, warnsOfUnknown: false };
  return new Backend(
    [
      {
        pattern: /^(?<path>.*)$/s,
        exists: ({ path = "" }) => entries.has(path),
        read: ({ at: { path = "" } }) => {
          const data = entries.get(path);
          return data === undefined ? null : { data };
        },
        list: ({ at: { path = "" } }) => ({ data: { keys: namesBelow(entries.keys(), path) } }),
        create: write,
        update: write,
        delete: ({ at: { path = "" } }) => {
          entries.delete(path);
          return null;
        },
      },
    ],
    quiet,
  );
}
