/** KV v2 over a logged-in line: exact calls, every answer's form checked. */
import { z } from "zod";
import { isObject } from "./errors.ts";
import { VaultFailure } from "./failure.ts";
import { inexactKeys } from "./inexact-numbers.ts";
import { segmentsOf } from "./paths.ts";
import type { Vault, VaultAnswer } from "./vault.ts";

/** `mount` may hold slashes; `path` is relative to it. Both as people write them, without leading or trailing slash. */
export interface KvPath {
  readonly mount: string;
  readonly path: string;
}

export type KvRead =
  | {
      readonly state: "present";
      readonly version: number;
      readonly createdTime: string;
      /** The whole map; what is no string stands as it was parsed. */
      readonly data: Readonly<Record<string, unknown>>;
      /** Keys whose value holds a number that does not survive parsing (above 2^53, or more digits than a double has). */
      readonly inexactKeys: readonly string[];
    }
  /** Deleted (recoverable) or destroyed; a write needs its number. */
  | { readonly state: "deleted" | "destroyed"; readonly version: number; readonly createdTime: string }
  /** Never written, pruned, or without metadata. */
  | { readonly state: "absent" };

export interface KvWritten {
  readonly version: number;
  readonly createdTime: string;
  /** Not empty: the mount or the key lets versions expire. */
  readonly deletionTime: string;
}

export interface KvMetadata {
  readonly currentVersion: number;
  readonly versions: ReadonlyMap<
    number,
    { readonly createdTime: string; readonly deletionTime: string; readonly destroyed: boolean }
  >;
  readonly customMetadata: Readonly<Record<string, string>> | null;
}

export interface Kv {
  /** `version` left out: the newest. Throws VaultFailure. */
  read(at: KvPath, signal: AbortSignal, version?: number): Promise<KvRead>;
  /** Replaces the whole map. `conflict` when the current version is not `cas`; `outcome-unknown` for a lost answer. */
  write(
    at: KvPath,
    data: Readonly<Record<string, unknown>>,
    cas: number,
    signal: AbortSignal,
  ): Promise<KvWritten>;
  /** Null: no such key. */
  metadata(at: KvPath, signal: AbortSignal): Promise<KvMetadata | null>;
  /** Names directly below; those of folders end in `/`. Empty: nothing there. */
  list(at: KvPath, signal: AbortSignal): Promise<readonly string[]>;
  destroy(at: KvPath, versions: readonly number[], signal: AbortSignal): Promise<void>;
  /** All versions and the metadata; well also when nothing is there. */
  deleteMetadata(at: KvPath, signal: AbortSignal): Promise<void>;
  /** Soft delete of the newest. */
  deleteLatest(at: KvPath, signal: AbortSignal): Promise<void>;
  /** Labels for people; best effort, never decided on. */
  label(at: KvPath, labels: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void>;
  /** `2`, `1`, or null where the token may not know it. Throws `mount` for an engine of another kind. */
  engineVersion(mount: string, signal: AbortSignal): Promise<1 | 2 | null>;
}

export type CreateKv = (vault: Vault) => Kv;

const version = z.number().int().positive();
const times = { created_time: z.string(), deletion_time: z.string() };
const found = z.object({
  data: z.object({ metadata: z.object({ version, ...times, destroyed: z.boolean() }) }),
});
const written = z.object({ data: z.object({ version, ...times }) });
const described = z.object({
  data: z.object({
    current_version: z.number().int().nonnegative(),
    versions: z.record(z.string().regex(/^\d+$/), z.object({ ...times, destroyed: z.boolean() })).nullish(),
    custom_metadata: z.record(z.string(), z.string()).nullish(),
  }),
});
const listed = z.object({ data: z.object({ keys: z.array(z.string()) }) });
const mounted = z.object({
  data: z.object({
    type: z.string(),
    path: z.string().optional(),
    options: z.record(z.string(), z.unknown()).nullish(),
  }),
});

const WRONG_ENGINE = "the mount is no KV engine of version 2";

export const createKv: CreateKv = (vault) => {
  /** Mounts that are of version 2: an engine is upgraded, as our own hint says, and never the other way. */
  const upgraded = new Set<string>();

  const segments = (part: string, { mount, path }: KvPath): readonly string[] => [
    ...segmentsOf(mount),
    part,
    ...segmentsOf(path),
  ];

  const kv: Kv = {
    async read(at, signal, wanted) {
      const answer = await vault.call(
        {
          method: "GET",
          path: segments("data", at),
          ...(wanted === undefined ? {} : { query: { version: String(wanted) } }),
          writes: false,
          absentIsAnswer: true,
        },
        signal,
      );
      return readOf(answer);
    },

    async write(at, data, cas, signal) {
      assertWhole(data);
      // An engine of version 1 takes such a write, and keeps it under another path.
      if ((await kv.engineVersion(at.mount, signal)) === 1) throw new VaultFailure("mount", WRONG_ENGINE);
      const answer = await vault.call(
        { method: "POST", path: segments("data", at), body: { options: { cas }, data }, writes: true },
        signal,
      );
      const read = written.safeParse(answer.body);
      if (read.success) {
        const { created_time, deletion_time } = read.data.data;
        return { version: read.data.data.version, createdTime: created_time, deletionTime: deletion_time };
      }
      if (answer.status === 204) throw new VaultFailure("mount", WRONG_ENGINE, { status: 204 });
      throw new VaultFailure("outcome-unknown", "it answered a write with something else", {
        status: answer.status,
      });
    },

    async metadata(at, signal) {
      const answer = await vault.call(
        { method: "GET", path: segments("metadata", at), writes: false, absentIsAnswer: true },
        signal,
      );
      if (answer.status === 404) return null;
      const { data } = parse(described, answer);
      return {
        currentVersion: data.current_version,
        versions: new Map(
          Object.entries(data.versions ?? {}).map(([number, { created_time, deletion_time, destroyed }]) => [
            Number(number),
            { createdTime: created_time, deletionTime: deletion_time, destroyed },
          ]),
        ),
        customMetadata: data.custom_metadata ?? null,
      };
    },

    async list({ mount, path }, signal) {
      const answer = await vault.call(
        {
          method: "LIST",
          path: [...segmentsOf(mount), "metadata", ...(path === "" ? [] : segmentsOf(path))],
          writes: false,
          absentIsAnswer: true,
        },
        signal,
      );
      return answer.status === 404 ? [] : parse(listed, answer).data.keys;
    },

    async destroy(at, versions, signal) {
      const body = { versions: [...versions] };
      await vault.call({ method: "POST", path: segments("destroy", at), body, writes: true }, signal);
    },

    async deleteMetadata(at, signal) {
      await vault.call({ method: "DELETE", path: segments("metadata", at), writes: true }, signal);
    },

    async deleteLatest(at, signal) {
      await vault.call({ method: "DELETE", path: segments("data", at), writes: true }, signal);
    },

    async label(at, labels, signal) {
      try {
        const there = (await kv.metadata(at, signal))?.customMetadata ?? {};
        if (Object.entries(labels).every(([name, value]) => there[name] === value)) return;
        const body = { custom_metadata: { ...there, ...labels } };
        await vault.call({ method: "POST", path: segments("metadata", at), body, writes: true }, signal);
      } catch (error) {
        if (!(error instanceof VaultFailure)) throw error;
      }
    },

    async engineVersion(mount, signal) {
      if (upgraded.has(mount)) return 2;
      const path = ["sys", "internal", "ui", "mounts", ...segmentsOf(mount)];
      try {
        const { data } = parse(mounted, await vault.call({ method: "GET", path, writes: false }, signal));
        assertIsMount(mount, data.path);
        if (data.type !== "kv" && data.type !== "generic") throw new VaultFailure("mount", WRONG_ENGINE);
        if (data.options?.["version"] !== "2") return 1;
        upgraded.add(mount);
        return 2;
      } catch (error) {
        // It says the same of a mount that is not there.
        if (error instanceof VaultFailure && error.verdict === "permission") return null;
        throw error;
      }
    },
  };
  return kv;
};

function readOf(answer: VaultAnswer): KvRead {
  const metadata = found.safeParse(answer.body).data?.data.metadata;
  if (metadata === undefined) {
    if (answer.status === 404) return { state: "absent" };
    throw new VaultFailure("mount", WRONG_ENGINE, { status: answer.status });
  }
  const { version, created_time, destroyed } = metadata;
  const data = dataOf(answer.body);
  if (answer.status === 404 || data === null)
    return { state: destroyed ? "destroyed" : "deleted", version, createdTime: created_time };
  return {
    state: "present",
    version,
    createdTime: created_time,
    data,
    inexactKeys: inexactKeys(answer.text, ["data", "data"]),
  };
}

/** Asked about a path below a mount, the server tells of the mount, whose keys would then stand below another name. */
function assertIsMount(mount: string, told: string | undefined): void {
  if (told === undefined || told === `${mount}/`) return;
  throw new VaultFailure(
    "mount",
    told.endsWith("/") && mount.startsWith(told)
      ? `${told.slice(0, -1)} is the mount, and what follows it belongs to the path`
      : "the server tells of another mount",
  );
}

/** As it was parsed: a copy could lose a key such as `__proto__`. */
function dataOf(body: unknown): Readonly<Record<string, unknown>> | null {
  const outer = isObject(body) ? body["data"] : null;
  const data = isObject(outer) ? outer["data"] : null;
  if (data === null || data === undefined) return null;
  if (isObject(data)) return data;
  throw new VaultFailure("protocol", "it answered a read with something else");
}

function parse<T>(form: z.ZodType<T>, { status, body }: VaultAnswer): T {
  const read = form.safeParse(body);
  if (read.success) return read.data;
  throw new VaultFailure("protocol", "it answered with something else", { status });
}

/** The server would put another character in its place, and say nothing. */
function assertWhole(data: Readonly<Record<string, unknown>>): void {
  const isHalf = (text: unknown): boolean => typeof text === "string" && /\p{Surrogate}/u.test(text);
  if (Object.entries(data).some(([key, value]) => isHalf(key) || isHalf(value)))
    throw new VaultFailure("invalid", "a key or a value holds half a character, which it cannot keep");
}
