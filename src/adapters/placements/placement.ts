/**
 * Files on a host that hold keys: reads what stands there and writes changes, file by file, over any `Host`.
 *
 * Promises: foreign bytes stay; a file that already holds everything is not written; a foreign edit between our look
 * and our write is kept (compare-and-set, then looked at again); a value that would not come back unchanged is
 * refused before any file is written.
 */
import { z } from "zod";
import { LockstepError } from "../../core/errors.ts";
import { compareOrder, formatOrder, type Order } from "../../core/order.ts";
import type { Host, HostFile } from "../../core/ports/host.ts";
import type { Address, Observed, ObservedKey } from "../../core/ports/place.ts";
import type { ApplyResult, Change } from "../../core/ports/target.ts";
import { SecretValue } from "../../core/secret-value.ts";
import { groupBy } from "../../lib/group-by.ts";
import { obstacleTo } from "../hosts/script/answer.ts";
import type { Format } from "./formats/format.ts";
import {
  FORMAT_NAMES,
  FORMATS,
  type FormatChoice,
  formatFor,
  READERS,
  whyNotTogether,
} from "./formats/formats.ts";
import { hostPath } from "./host-path.ts";

export const placedFileSchema = z
  .strictObject({
    path: hostPath,
    format: z.enum(FORMAT_NAMES),
    /** Whose reading of the format counts; without it a value must be read alike by every one that is known. */
    reader: z.enum(READERS).exactOptional(),
    /** Of `raw`: whether a newline at the file's end is the file's (true) or the value's (false). */
    newline: z.boolean().exactOptional(),
    /**
     * For a file that has further names (hard links) or is mounted by itself, which is refused otherwise. `replace`: further
     * names keep the old content. `in-place`: the file's own bytes change, for all names; a crash can leave half of them.
     */
    write: z.enum(["replace", "in-place"]).exactOptional(),
    /** For a new file; an existing one keeps its own. */
    mode: z
      .string()
      .regex(/^0?[0-7]{3}$/, 'must be octal text such as "0600"')
      .default("0600"),
  })
  .refine(({ format, mode }) => FORMATS[format].ownerOnly !== true || /^0?600$/.test(mode), {
    message: "must be 0600: a file of this format is its owner's alone",
    path: ["mode"],
  })
  .superRefine((file, context) => {
    const why = whyNotTogether(file);
    if (why !== null)
      context.addIssue({
        code: "custom",
        message: why,
        path: [file.newline === undefined ? "reader" : "newline"],
      });
  });

export interface PlacedFile extends FormatChoice {
  readonly path: string;
  readonly mode: string;
  readonly write?: "replace" | "in-place" | undefined;
  /** Whether the unit's process is started with the file's keys in its environment; left out, the format decides. */
  readonly asEnvironment?: boolean | undefined;
}

const MAX_CONFLICTS = 5;

/**
 * What a look at the files showed, for the write that follows: a round trip less. Safe because every write compares
 * with what stands there; what is not needed any more is forgotten at once. Only a fresh look may say "unchanged".
 */
export type LastLooks = Map<string, HostFile>;

export async function observeFiles(
  host: Host,
  files: readonly PlacedFile[],
  addresses: readonly Address[],
  signal: AbortSignal,
  looks: LastLooks = new Map(),
): Promise<{ readonly keys: readonly ObservedKey[]; readonly orders: readonly Order[] }> {
  const texts = new Map<string, string | null>();
  const obstacles = new Map<string, LockstepError>();
  const orders = new Map<string, Order>();
  for (const path of new Set(addresses.map((address) => address.placement))) {
    const file = await host.read(path, signal);
    assertClosed(file, fileOf(files, path));
    looks.set(path, file);
    texts.set(path, textOf(file, path));
    const shared = file.state === "present" ? file.shared : undefined;
    const obstacle = obstacleTo(`write ${path}`, shared, fileOf(files, path).write);
    if (obstacle !== null) obstacles.set(path, obstacle);
    if (file.order !== null) orders.set(formatOrder(file.order), file.order);
  }
  const keys = addresses.map((address): ObservedKey => {
    const text = texts.get(address.placement) ?? null;
    const format = formatOf(files, address.placement);
    const obstacle = obstacles.get(address.placement);
    return {
      ...address,
      ...(obstacle === undefined ? {} : { obstacle }),
      observed:
        text === null
          ? { state: "absent" }
          : named(address.placement, () => observedIn(format, text, address.key)),
    };
  });
  return { keys, orders: [...orders.values()] };
}

function observedIn(format: Format, text: string, key: string): Observed {
  const value = format.read(text, [key]).get(key);
  if (value === undefined) return { state: "absent" };
  const unclear = format.unclear?.(text, key) ?? null;
  if (unclear !== null) return { state: "unrecognised", nearly: unclear };
  const also = format.alsoReads?.(text) ?? null;
  return {
    state: "present",
    value: SecretValue.of(value),
    ...(also === null ? {} : { or: SecretValue.of(also) }),
  };
}

export async function applyToFiles(
  host: Host,
  files: readonly PlacedFile[],
  change: Change,
  order: Order,
  signal: AbortSignal,
  looks: LastLooks = new Map(),
): Promise<ApplyResult> {
  for (const { placement, key, value } of change.set) assertHoldable(files, { placement, key }, value);
  const byFile = groupBy<Address & { value?: SecretValue }>(
    [...change.set, ...change.unset],
    (item) => item.placement,
  );
  let changed = false;
  for (const [path, items] of byFile) {
    const changes = new Map(items.map(({ key, value }) => [key, value?.reveal() ?? null]));
    const look = looks.get(path) ?? null;
    looks.delete(path);
    const keepCopy = change.keepCopies === true;
    if (await applyToFile(host, { ...fileOf(files, path), keepCopy }, changes, order, signal, look))
      changed = true;
  }
  return { outcome: changed ? "changed" : "unchanged" };
}

export function assertHoldable(
  files: readonly PlacedFile[],
  address: Address,
  value: SecretValue | null,
): void {
  const format = formatOf(files, address.placement);
  format.assertKey(address.key);
  if (value !== null) format.assertValue(address.key, value.reveal());
}

async function applyToFile(
  host: Host,
  { keepCopy, ...file }: PlacedFile & { readonly keepCopy: boolean },
  changes: ReadonlyMap<string, string | null>,
  order: Order,
  signal: AbortSignal,
  lastLook: HostFile | null,
): Promise<boolean> {
  let known = lastLook;
  let planned = lastLook;
  for (let conflicts = 0; ; ) {
    const before = known ?? (await host.read(file.path, signal));
    planned ??= before;
    assertSameMark(file.path, order, planned, before);
    assertClosed(before, file);
    const text = textOf(before, file.path);
    const absent = text === null && [...changes.values()].every((value) => value === null);
    const after = absent ? null : named(file.path, () => formatFor(file).write(text, changes));
    if (after === text || after === null) {
      if (known === null) return false;
      known = null;
      continue;
    }
    try {
      await host.write(
        file.path,
        {
          content: Buffer.from(after),
          expectedDigest: before.state === "absent" ? "absent" : before.digest,
          order,
          mode: Number.parseInt(file.mode, 8),
          keepCopy,
          ...(file.write === undefined ? {} : { how: file.write }),
        },
        signal,
      );
      return true;
    } catch (error) {
      const lostRace = error instanceof LockstepError && error.code === "WRITE_CONFLICT";
      if (!lostRace || conflicts >= MAX_CONFLICTS) throw error;
      if (known === null) conflicts += 1;
      known = null;
    }
  }
}

/** A format knows a text alone; whoever reads its word must know which of a target's files is meant. */
function named<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof LockstepError) || error.code !== "TARGET_REFUSED") throw error;
    throw new LockstepError(error.code, `${path}: ${error.message}`, { hint: error.hint });
  }
}

function assertClosed(file: HostFile, { path, format }: PlacedFile): void {
  if (file.state === "absent" || FORMATS[format].ownerOnly !== true || (file.mode & 0o077) === 0) return;
  throw new LockstepError(
    "FILE_UNSAFE",
    `Cannot use ${path}: others than its owner may read this ${format} file.`,
    {
      hint: "Take the rights away: chmod 600.",
    },
  );
}

/** Bytes that are not UTF-8 could not be put back unchanged. */
export function textOf(file: HostFile, path: string): string | null {
  if (file.state === "absent") return null;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(file.content);
  } catch {
    throw new LockstepError("TARGET_REFUSED", `Cannot edit ${path}: it is not UTF-8 text.`);
  }
}

/** A mark that nobody has judged yet: what was planned before it came may be older than what it stands for. */
function assertSameMark(path: string, order: Order, known: HostFile, now: HostFile): void {
  if (now.order === null || compareOrder(order, now.order) === "same") return;
  if (known.order !== null && formatOrder(known.order) === formatOrder(now.order)) return;
  throw new LockstepError(
    "ORDER_REFUSED",
    `Cannot write ${path}: another write came to it after it was looked at.`,
  );
}

function fileOf(files: readonly PlacedFile[], path: string): PlacedFile {
  const file = files.find((one) => one.path === path);
  if (file !== undefined) return file;
  throw new LockstepError("CONFIG_INVALID", `The target has no file ${path}.`, {
    details: { path: ["file"] },
  });
}

function formatOf(files: readonly PlacedFile[], path: string) {
  return formatFor(fileOf(files, path));
}
