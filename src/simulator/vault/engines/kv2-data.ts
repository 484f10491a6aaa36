/** `data/` of KV v2: read, write with check-and-set, patch, soft delete. */
import { goTime } from "../clock.ts";
import type { EngineRequest, Route } from "../wire/backend.ts";
import { intField, mapField } from "../wire/fields.ts";
import { Refused, type Reply, wrapped } from "../wire/reply.ts";
import { isDeleted, type KvKey, secondsToLive, type Version } from "./kv-versions.ts";
import type { KvStore } from "./kv2-store.ts";

const FIELDS = ["version", "options", "data"];

export function dataRoutes(store: KvStore): readonly Route[] {
  const { features } = store;
  return [
    {
      pattern: features.transitAnswersKey ? /^data\/(?<path>.*[^/])$/s : /^data\/(?<path>.*)$/s,
      fields: FIELDS,
      exists: ({ path = "" }) => store.keys.has(path),
      read: (request) => read(store, request),
      create: (request) => write(store, request),
      update: (request) => write(store, request),
      ...(features.customMetadata ? { patch: (request: EngineRequest) => patch(store, request) } : {}),
      delete: (request) => softDeleteLatest(store, request),
    },
  ];
}

function versionFacts(store: KvStore, key: KvKey, number: number, version: Version): Record<string, unknown> {
  return {
    version: number,
    created_time: version.createdTime,
    deletion_time: version.deletionTime,
    destroyed: version.destroyed,
    ...(store.features.customMetadata ? { custom_metadata: key.customMetadata } : {}),
  };
}

function read(store: KvStore, { at: { path = "" }, data }: EngineRequest): Reply | null {
  store.checkUpgrade();
  const wanted = intField(data, "version") ?? 0;
  const key = store.seen(path);
  if (key === undefined) return null;
  const number = wanted > 0 ? wanted : key.currentVersion;
  const version = key.versions.get(number);
  if (version === undefined) return null;
  const metadata = versionFacts(store, key, number, version);
  if (isDeleted(version, store.nowMs()) || version.destroyed)
    return { status: 404, data: { data: null, metadata } };
  return { data: { data: version.data, metadata } };
}

function checkCas(store: KvStore, data: EngineRequest["data"], key: KvKey | undefined): void {
  const options = mapField(data, "options") ?? {};
  if (!("cas" in options)) {
    if (store.config.casRequired || key?.config.casRequired === true)
      throw new Refused(400, "check-and-set parameter required for this call");
    return;
  }
  if (weakInt(options["cas"]) !== (key?.currentVersion ?? 0))
    throw new Refused(400, "check-and-set parameter did not match the current version");
}

function weakInt(value: unknown): number {
  if (value === null || value === "") return 0;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "number") return Math.trunc(value);
  if (typeof value === "string" && /^-?\d+$/.test(value)) return Number(value);
  throw new Refused(400, "error parsing check-and-set parameter");
}

function write(store: KvStore, { at: { path = "" }, data }: EngineRequest): Reply {
  store.checkUpgrade();
  if (path === "") throw new Refused(400, "missing path");
  const values = mapField(data, "data");
  if (values === undefined) throw new Refused(400, "no data provided");
  const key = store.keys.get(path);
  checkCas(store, data, key);
  return addVersion(store, path, key, values);
}

function addVersion(
  store: KvStore,
  path: string,
  found: KvKey | undefined,
  values: Readonly<Record<string, unknown>>,
): Reply {
  checkSize(store, values);
  store.beforeWrite(path);
  const now = store.clock.now();
  const createdTime = goTime(now);
  const key = found ?? store.create(path, createdTime);
  const seconds = secondsToLive(key.config, store.config);
  const deletionTime = seconds === null ? "" : goTime(new Date(now.getTime() + seconds * 1000));
  const version = key.add(values, createdTime, deletionTime, store.config);
  return { data: versionFacts(store, key, key.currentVersion, version) };
}

function checkSize(store: KvStore, values: unknown): void {
  const bytes = Buffer.byteLength(JSON.stringify(values));
  if (bytes <= store.maxEntryBytes) return;
  throw new Refused(
    500,
    wrapped(`put failed due to value being too large; got ${bytes} bytes, max: ${store.maxEntryBytes} bytes`),
  );
}

function patch(store: KvStore, { at: { path = "" }, data }: EngineRequest): Reply {
  store.checkUpgrade();
  const changes = mapField(data, "data");
  if (changes === undefined) throw new Refused(400, "no data provided");
  const key = store.keys.get(path);
  if (key === undefined) return { status: 404, bare: true };
  checkCas(store, data, key);
  const version = key.versions.get(key.currentVersion);
  if (version === undefined) return { status: 404, bare: true };
  if (isDeleted(version, store.nowMs()) || version.destroyed)
    return { status: 404, data: versionFacts(store, key, key.currentVersion, version) };
  return addVersion(store, path, key, merged(version.data ?? {}, changes));
}

/** RFC 7386. */
export function merged(
  target: Readonly<Record<string, unknown>>,
  changes: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const result: Record<string, unknown> = { ...target };
  for (const [key, change] of Object.entries(changes)) {
    if (change === null) delete result[key];
    else if (isMap(change)) {
      const before = result[key];
      result[key] = merged(isMap(before) ? before : {}, change);
    } else result[key] = change;
  }
  return result;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function softDeleteLatest(store: KvStore, { at: { path = "" } }: EngineRequest): null {
  store.checkUpgrade();
  const key = store.keys.get(path);
  const version = key?.versions.get(key.currentVersion);
  if (version === undefined || version.destroyed || isDeleted(version, store.nowMs())) return null;
  store.beforeWrite(path);
  version.deletionTime = goTime(store.clock.now());
  return null;
}
