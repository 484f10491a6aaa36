/**
 * The last bundle as it came: sealed to this agent's key, so the file alone tells nothing. It is opened and verified
 * each time it is read, like one that came over the line; only its nonce is the one that was asked for then.
 */
import { z } from "zod";
import type { AgentFiles } from "../identity/agent-files.ts";

const CACHE_FILE = "bundle.json";

const cacheSchema = z.strictObject({
  v: z.literal(1),
  sealed: z.string(),
  nonce: z.string(),
  receivedAt: z.iso.datetime(),
});
export type CachedBundle = z.output<typeof cacheSchema>;

export async function writeCache(files: AgentFiles, cached: Omit<CachedBundle, "v">): Promise<void> {
  await files.write(CACHE_FILE, JSON.stringify({ v: 1, ...cached }));
}

/** Null: there is none, or it is not one. */
export async function readCache(files: AgentFiles): Promise<CachedBundle | null> {
  const text = await files.read(CACHE_FILE);
  try {
    return text === null ? null : cacheSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
