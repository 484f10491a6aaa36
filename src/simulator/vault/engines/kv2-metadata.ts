/** `metadata/` and `config` of KV v2. */
import { goTime } from "../clock.ts";
import type { EngineRequest, Route } from "../wire/backend.ts";
import { boolField, goDuration, intField, mapField, secondsField } from "../wire/fields.ts";
import { Refused, type Reply } from "../wire/reply.ts";
import { namesBelow } from "./folders.ts";
import type { KvKey } from "./kv-versions.ts";
import { merged } from "./kv2-data.ts";
import type { KvStore } from "./kv2-store.ts";

export function metadataRoutes(store: KvStore): readonly Route[] {
  const { features } = store;
  const fields = ["cas_required", "max_versions", "delete_version_after"];
  if (features.customMetadata) fields.push("custom_metadata");
  if (features.openbao) fields.push("metadata_cas_required", "metadata_cas", "after", "limit");
  return [
    {
      pattern: /^config$/,
      fields: ["max_versions", "cas_required", "delete_version_after", "metadata_cas_required"],
      read: () => readConfig(store),
      create: (request) => writeConfig(store, request),
      update: (request) => writeConfig(store, request),
    },
    {
      pattern: /^metadata\/(?<path>.*)$/s,
      fields,
      exists: ({ path = "" }) => store.keys.has(path),
      read: (request) => read(store, request),
      list: (request) => list(store, request),
      create: (request) => write(store, request),
      update: (request) => write(store, request),
      ...(features.partialBatchFails ? { patch: (request: EngineRequest) => patch(store, request) } : {}),
      delete: (request) => deleteAll(store, request),
    },
  ];
}

function readConfig(store: KvStore): Reply {
  store.checkUpgrade();
  const { maxVersions, casRequired, deleteVersionAfter } = store.config;
  return {
    data: {
      max_versions: maxVersions,
      cas_required: casRequired,
      delete_version_after: goDuration(Math.max(0, deleteVersionAfter)),
    },
  };
}

function writeConfig(store: KvStore, { data }: EngineRequest): null {
  store.checkUpgrade();
  store.config.maxVersions = intField(data, "max_versions") ?? store.config.maxVersions;
  store.config.casRequired = boolField(data, "cas_required") ?? store.config.casRequired;
  store.config.deleteVersionAfter =
    secondsField(data, "delete_version_after") ?? store.config.deleteVersionAfter;
  return null;
}

function read(store: KvStore, { at: { path = "" } }: EngineRequest): Reply | null {
  store.checkUpgrade();
  const key = store.seen(path);
  return key === undefined ? null : { data: facts(store, key) };
}

function facts({ features }: KvStore, key: KvKey): Record<string, unknown> {
  const versions = [...key.versions].map(([number, { createdTime, deletionTime, destroyed }]) => [
    String(number),
    { created_time: createdTime, deletion_time: deletionTime, destroyed },
  ]);
  const by = { actor: "double", client_id: "", entity_id: "", operation: "update" };
  return {
    versions: Object.fromEntries(versions),
    current_version: key.currentVersion,
    oldest_version: key.oldestVersion,
    created_time: key.createdTime,
    updated_time: key.updatedTime,
    max_versions: key.config.maxVersions,
    cas_required: key.config.casRequired,
    delete_version_after: goDuration(key.config.deleteVersionAfter),
    ...(features.customMetadata ? { custom_metadata: key.customMetadata } : {}),
    ...(features.openbao
      ? { current_metadata_version: key.metadataVersion, metadata_cas_required: false }
      : {}),
    ...(features.mode === "vault-1.21" ? { created_by: by, last_updated_by: by } : {}),
  };
}

function list(store: KvStore, { at: { path = "" } }: EngineRequest): Reply {
  store.checkUpgrade();
  const paths = store.stale.list([...store.keys.keys()], store.nowMs());
  return { data: { keys: namesBelow(paths, path) } };
}

const PREFIX = "custom_metadata validation failed";

function customMetadata(value: Readonly<Record<string, unknown>>): Record<string, string> {
  const entries = Object.entries(value);
  if (entries.length > 64)
    throw new Refused(
      400,
      multi([`${PREFIX}: payload must contain at most 64 keys, provided ${entries.length}`]),
    );
  const faults: string[] = [];
  const result: Record<string, string> = {};
  for (const [key, raw] of entries) {
    if (raw !== null && typeof raw === "object")
      throw new Refused(
        400,
        `${PREFIX}: '' expected type 'string', got unconvertible type 'map[string]interface {}'`,
      );
    const text = typeof raw === "boolean" ? (raw ? "1" : "0") : raw === null ? "" : String(raw);
    const [keyBytes, valueBytes] = [Buffer.byteLength(key), Buffer.byteLength(text)];
    if (keyBytes === 0 || keyBytes > 128)
      faults.push(`${PREFIX}: length of key "${key}" is ${keyBytes} but must be 0 < len(key) <= 128`);
    if (valueBytes === 0 || valueBytes > 512)
      faults.push(
        `${PREFIX}: length of value for key "${key}" is ${valueBytes} but must be 0 < len(value) <= 512`,
      );
    if (isUnprintable(key)) faults.push(`${PREFIX}: key "${key}" (${key}) contains unprintable characters`);
    if (isUnprintable(text)) faults.push(`${PREFIX}: value for key "${key}" contains unprintable characters`);
    result[key] = text;
  }
  if (faults.length > 0) throw new Refused(400, multi(faults));
  return result;
}

function isUnprintable(text: string): boolean {
  return /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(text);
}

function multi(faults: readonly string[]): string {
  const head = faults.length === 1 ? "1 error occurred" : `${faults.length} errors occurred`;
  return `${head}:\n${faults.map((fault) => `\t* ${fault}\n`).join("")}\n`;
}

function write(store: KvStore, { at: { path = "" }, data }: EngineRequest): Reply | null {
  store.checkUpgrade();
  if (path === "") throw new Refused(400, "missing path");
  const known = ["max_versions", "cas_required", "delete_version_after"];
  if (store.features.customMetadata) known.push("custom_metadata");
  if (!known.some((name) => data[name] !== undefined && data[name] !== null)) return null;
  const labels = store.features.customMetadata ? mapField(data, "custom_metadata") : undefined;
  const checked = labels === undefined ? undefined : customMetadata(labels);
  const found = store.keys.get(path);
  checkMetadataCas(store, data, found);
  const key = found ?? store.create(path);
  change(key, data, checked);
  return casIgnored(store, data);
}

function change(key: KvKey, data: EngineRequest["data"], labels: Record<string, string> | undefined): void {
  key.config.maxVersions = intField(data, "max_versions") ?? key.config.maxVersions;
  key.config.casRequired = boolField(data, "cas_required") ?? key.config.casRequired;
  key.config.deleteVersionAfter = secondsField(data, "delete_version_after") ?? key.config.deleteVersionAfter;
  if (labels !== undefined) key.customMetadata = labels;
  key.metadataVersion += 1;
}

function checkMetadataCas(store: KvStore, data: EngineRequest["data"], key: KvKey | undefined): void {
  if (!store.features.openbao) return;
  const wanted = intField(data, "metadata_cas");
  if (wanted === undefined) return;
  if (key === undefined && wanted !== 0)
    throw new Refused(400, "metadata_cas must be 0 when creating new metadata");
  if (key !== undefined && wanted !== key.metadataVersion)
    throw new Refused(400, "metadata check-and-set parameter does not match the current version");
}

function casIgnored(store: KvStore, data: EngineRequest["data"]): Reply | null {
  if (!store.config.casRequired || boolField(data, "cas_required") !== false) return null;
  return {
    warnings: ['"cas_required" set to false, but is mandated by backend config. This value will be ignored.'],
  };
}

function patch(store: KvStore, { at: { path = "" }, data }: EngineRequest): Reply | null {
  store.checkUpgrade();
  const changes = mapField(data, "custom_metadata");
  const given = Object.entries(changes ?? {}).filter(([, value]) => value !== null);
  customMetadata(Object.fromEntries(given));
  const key = store.keys.get(path);
  if (key === undefined) return { status: 404, bare: true };
  checkMetadataCas(store, data, key);
  const labels =
    changes === undefined ? undefined : customMetadata(merged(key.customMetadata ?? {}, changes));
  change(key, data, labels);
  key.updatedTime = goTime(store.clock.now());
  return casIgnored(store, data);
}

function deleteAll(store: KvStore, { at: { path = "" } }: EngineRequest): null {
  store.checkUpgrade();
  if (!store.keys.has(path)) return null;
  store.beforeWrite(path);
  store.keys.delete(path);
  return null;
}
