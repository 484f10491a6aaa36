/** The KV v2 secrets engine. */
import { goTime } from "../clock.ts";
import { Backend, type EngineRequest, type Route } from "../wire/backend.ts";
import { intListField } from "../wire/fields.ts";
import { Refused, type Reply } from "../wire/reply.ts";
import { isDeleted, type Version } from "./kv-versions.ts";
import { dataRoutes } from "./kv2-data.ts";
import { metadataRoutes } from "./kv2-metadata.ts";
import type { KvStore } from "./kv2-store.ts";

export function kv2Backend(store: KvStore): Backend {
  const onVersions = (name: string, change: (version: Version) => void): Route => {
    const handle = (request: EngineRequest) => changeVersions(store, request, change);
    return {
      pattern: new RegExp(`^${name}/(?<path>.*)$`, "s"),
      fields: ["versions"],
      create: handle,
      update: handle,
    };
  };
  const now = () => goTime(store.clock.now());
  return new Backend(
    [
      ...dataRoutes(store),
      ...metadataRoutes(store),
      onVersions("delete", (version) => {
        if (!version.destroyed && !isDeleted(version, store.nowMs())) version.deletionTime = now();
      }),
      onVersions("undelete", (version) => {
        if (!version.destroyed) version.deletionTime = "";
      }),
      onVersions("destroy", (version) => {
        version.destroyed = true;
        version.data = null;
      }),
      {
        pattern: /^(?<rest>.*)$/s,
        fields: ["data", "options"],
        read: (request) => invalidPath(request, "get"),
        list: (request) => invalidPath(request, "list"),
        update: (request) => invalidPath(request, "put"),
        patch: (request) => invalidPath(request, "patch"),
        delete: (request) => invalidPath(request, "delete"),
      },
    ],
    store.features,
  );
}

function changeVersions(
  store: KvStore,
  { at: { path = "" }, data }: EngineRequest,
  change: (version: Version) => void,
): null {
  store.checkUpgrade();
  const numbers = intListField(data, "versions");
  if (numbers.length === 0) throw new Refused(400, "No version number provided");
  const key = store.keys.get(path);
  if (key === undefined) return null;
  store.beforeWrite(path);
  for (const number of numbers) {
    const version = key.versions.get(number);
    if (version !== undefined) change(version);
  }
  return null;
}

function invalidPath({ path }: EngineRequest, command: string): Reply {
  const warning = ["metadata", "data", "delete", "undelete", "destroy"].includes(path)
    ? "Non-listing operations on the root of a K/V v2 mount are not supported."
    : `Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. If using the Vault CLI, use 'vault kv ${command}' for this operation.`;
  return { status: 404, warnings: [warning] };
}
