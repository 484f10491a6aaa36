/** What `target test` says of the versions at a path. Pure. */
import { shellCommand } from "../../../../lib/shell-quote.ts";
import { visibleLine } from "../../../../lib/visible-text.ts";
import type { VaultConfig } from "../config.ts";
import type { Metadata, Settings } from "./answers.ts";

/** A mount may keep any number of them. */
const MAX_NAMED = 200;
const NO_DURATION = /^(?:0s?|)$/;

export function settingsText(metadata: Metadata | null, settings: Settings | null): readonly string[] {
  const words: string[] = [];
  const own = metadata?.data.delete_version_after ?? "";
  const after = NO_DURATION.test(own) ? (settings?.data.delete_version_after ?? "") : own;
  if (!NO_DURATION.test(after))
    words.push(
      `Careful: each version is deleted by itself after ${visibleLine(after)} (delete_version_after), and readers then find nothing; set it to 0s.`,
    );
  // 10 where neither says a number.
  const kept = Math.max(metadata?.data.max_versions ?? 0, settings?.data.max_versions ?? 0);
  if (metadata !== null) words.push(`${kept === 0 ? 10 : kept} versions are kept.`);
  if (metadata?.data.cas_required === true || settings?.data.cas_required === true)
    words.push("Check-and-set is required, and always given.");
  return words;
}

/** Replaced values stay readable in KV: whoever holds one that leaked must know. */
export function oldVersionsText(
  { mount, path, namespace }: Pick<VaultConfig, "mount" | "path" | "namespace">,
  metadata: Metadata | null,
): readonly string[] {
  if (metadata === null) return [];
  const { current_version: current, versions } = metadata.data;
  const old = Object.entries(versions)
    .filter(([number, { destroyed }]) => !destroyed && Number(number) !== current)
    .map(([number]) => Number(number))
    .sort((a, b) => a - b);
  if (old.length === 0) return [];
  const command = shellCommand([
    "vault",
    "kv",
    "destroy",
    ...(namespace === null ? [] : [`-namespace=${namespace}`]),
    `-mount=${mount}`,
    `-versions=${old.slice(0, MAX_NAMED).join(",")}`,
    path,
  ]);
  return [
    `${old.length === 1 ? "1 older version" : `${old.length} older versions`} can still be read there; after a value was compromised, whoever may destroys ${old.length > MAX_NAMED ? `the first ${MAX_NAMED} (and then the others alike)` : "them"}: ${command}`,
  ];
}
