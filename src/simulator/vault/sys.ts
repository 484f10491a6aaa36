/** `sys/`: mounts, policies, capabilities, wrapping, namespaces. Health is in `health.ts`. */
import type { Acl } from "./access/acl.ts";
import type { Wrapping } from "./access/wrapping.ts";
import type { Features } from "./modes.ts";
import type { Mount, MountKind, Realm } from "./realm.ts";
import { Backend, type EngineRequest } from "./wire/backend.ts";
import { listField, mapField, textField } from "./wire/fields.ts";
import { DEAD_TOKEN, type Json, Refused, type Reply, wrapped } from "./wire/reply.ts";

export interface SysNeeds {
  readonly features: Features;
  readonly realm: Realm;
  readonly wrapping: Wrapping;
  readonly aclOf: (request: EngineRequest) => Acl | "root" | null;
  readonly addNamespace: (path: string) => void;
  readonly removeNamespace: (path: string) => void;
}

export function sysBackend(needs: SysNeeds): Backend {
  const { features, realm, wrapping } = needs;
  const policy = {
    fields: ["policy", "rules"],
    read: ({ at: { name = "" } }: EngineRequest) => {
      const found = realm.policies.get(name.toLowerCase());
      return found === undefined ? null : { data: { name, policy: found.text, rules: found.text } };
    },
    update: ({ at: { name = "" }, data }: EngineRequest) => {
      const text = textField(data, "policy") ?? textField(data, "rules") ?? "";
      if (text === "") throw new Refused(400, "'policy' parameter not supplied or empty");
      if (["root", "response-wrapping"].includes(name))
        throw new Refused(400, `cannot update "${name}" policy`);
      realm.setPolicy(name, text);
      return null;
    },
    delete: ({ at: { name = "" } }: EngineRequest) => {
      realm.policies.delete(name.toLowerCase());
      return null;
    },
  };
  return new Backend(
    [
      {
        pattern: /^capabilities-self$/,
        fields: ["paths", "path", "token"],
        update: (request) => capabilities(needs, request),
      },
      { pattern: /^internal\/ui\/mounts\/(?<path>.+)$/, read: (request) => uiMount(needs, request) },
      {
        pattern: /^wrapping\/lookup$/,
        fields: ["token"],
        update: (request) => ({ data: wrapping.lookup(tokenOf(request)) }),
      },
      { pattern: /^mounts\/?$/, read: () => ({ data: allMounts(realm) }) },
      {
        pattern: /^mounts\/(?<path>.+)\/tune$/,
        read: ({ at: { path = "" } }) => {
          if (!realm.mounts.has(`${path}/`))
            throw new Refused(400, `cannot fetch sysview for path "${path}/"`);
          return { data: { default_lease_ttl: 2_764_800, max_lease_ttl: 2_764_800 } };
        },
      },
      {
        pattern: /^mounts\/(?<path>.+)$/,
        fields: [
          "type",
          "description",
          "config",
          "options",
          "local",
          "seal_wrap",
          "path",
          "external_entropy_access",
          "plugin_name",
        ],
        read: ({ at: { path = "" } }) => {
          const mount = realm.mounts.get(`${path}/`);
          if (mount === undefined) throw new Refused(400, `No secret engine mount at ${path}/`);
          return { data: mountFacts(mount) };
        },
        update: ({ at: { path = "" }, data }) => {
          realm.addMount(kindOf(data), path);
          return null;
        },
        delete: ({ at: { path = "" } }) => {
          realm.mounts.delete(`${path}/`);
          return null;
        },
      },
      {
        pattern: /^auth\/(?<path>.+)$/,
        fields: ["type", "description", "config", "options", "local"],
        update: ({ at: { path = "" }, data }) => {
          if (textField(data, "type") !== "approle")
            throw new Refused(400, "backend type must be specified as a string");
          realm.addAppRole(path);
          return null;
        },
        delete: ({ at: { path = "" } }) => {
          realm.appRoles.delete(`auth/${path}/`);
          return null;
        },
      },
      { pattern: /^policies\/acl\/(?<name>.+)$/, ...policy },
      { pattern: /^policy\/(?<name>.+)$/, ...policy },
      ...(features.namespaces
        ? [
            {
              pattern: /^namespaces\/(?<path>.+)$/,
              fields: ["custom_metadata"],
              update: ({ at: { path = "" } }: EngineRequest) => {
                needs.addNamespace(path);
                return { data: { path: `${path}/`, id: path, custom_metadata: {} } };
              },
              delete: ({ at: { path = "" } }: EngineRequest) => {
                needs.removeNamespace(path);
                return null;
              },
            },
          ]
        : []),
    ],
    features,
  );
}

function tokenOf({ data, caller }: EngineRequest): string {
  return textField(data, "token") ?? caller?.token ?? "";
}

function kindOf(data: EngineRequest["data"]): MountKind {
  const type = textField(data, "type") ?? "";
  const version = textField(mapField(data, "options") ?? {}, "version") ?? "1";
  if (type === "transit") return "transit";
  if (type === "kv-v2" || (type === "kv" && version === "2")) return "kv-v2";
  if (type === "kv" || type === "kv-v1" || type === "generic") return "kv-v1";
  throw new Refused(
    400,
    type === "" ? "backend type must be specified as a string" : `plugin not found in the catalog: ${type}`,
  );
}

function mountFacts(mount: Mount): Json {
  return {
    accessor: `${mount.kind.split("-")[0]}_${Buffer.from(mount.path).toString("hex").slice(0, 8)}`,
    config: { default_lease_ttl: 0, force_no_cache: false, max_lease_ttl: 0 },
    description: "",
    local: false,
    options: mount.kind === "transit" ? null : { version: mount.kind === "kv-v2" ? "2" : "1" },
    seal_wrap: false,
    type: mount.kind === "transit" ? "transit" : "kv",
    uuid: "",
  };
}

function allMounts(realm: Realm): Json {
  return Object.fromEntries([...realm.mounts].map(([path, mount]) => [path, mountFacts(mount)]));
}

/** Asks itself whether the token may know; an unknown mount looks like one that it may not. */
function uiMount({ realm, aclOf, features }: SysNeeds, request: EngineRequest): Reply {
  const path = (request.at["path"] ?? "").replace(/\/?$/, "/");
  const acl = aclOf(request);
  const mount = realm.mountOf(path);
  // A token that is dead looks here like one that a policy refuses; only newer servers add that it is invalid.
  if (mount !== undefined && acl === null)
    throw new Refused(403, features.saysInvalidToken ? DEAD_TOKEN : wrapped("permission denied"));
  const allowed =
    mount !== undefined && acl !== null && (acl === "root" || acl.reaches(realm.path + mount.path));
  if (!allowed)
    throw new Refused(
      403,
      `preflight capability check returned 403, please ensure client's policies grant access to path "${path}"`,
    );
  return { data: { ...mountFacts(mount), path: mount.path } };
}

function capabilities({ realm, aclOf }: SysNeeds, request: EngineRequest): Reply {
  const paths = listField(request.data, "paths") ?? listField(request.data, "path") ?? [];
  if (paths.length === 0) throw new Refused(400, "paths must be supplied");
  const acl = aclOf(request);
  const found = paths.map((path): [string, readonly string[]] => {
    if (acl === "root") return [path, ["root"]];
    const granted = [...(acl?.capabilities(realm.path + path, true) ?? [])].sort();
    return [path, granted.length === 0 ? ["deny"] : granted];
  });
  const [only] = found;
  return {
    data: {
      ...Object.fromEntries(found),
      ...(found.length === 1 && only !== undefined ? { capabilities: only[1] } : {}),
    },
  };
}
