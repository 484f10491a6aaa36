/** What a place in memory can be told to be. Pure. */
import { z } from "zod";
import { LockstepError } from "../../../src/core/errors.ts";
import type { JsonObject } from "../../../src/core/json.ts";

const memorySchema = z.strictObject({
  memory: z.strictObject({
    /** Targets that name the same place share it. */
    place: z.string().regex(/^[A-Za-z0-9-]{1,64}$/),
    /** Refuses an older write, as hosts do. Default false, as Railway. */
    conditionalWrite: z.boolean().optional(),
    /** Default true; otherwise every key that exists is `unreadable`. */
    readable: z.boolean().optional(),
    /** Default true. */
    deletable: z.boolean().optional(),
    /** Whether something restarts. Default true. */
    restarts: z.boolean().optional(),
    /** How long an answer is waited for, in ms. Default 1,000. */
    requestTimeoutMs: z.int().min(1).max(120_000).optional(),
    /** Stands for a credential: places accept any. */
    token: z.string().min(1).optional(),
  }),
});

export interface MemoryConfig {
  readonly place: string;
  readonly conditionalWrite: boolean;
  readonly readable: boolean;
  readonly deletable: boolean;
  readonly restarts: boolean;
  readonly requestTimeoutMs: number;
}

export function parseMemory(raw: unknown): {
  readonly config: JsonObject;
  readonly credentials: JsonObject | null;
} {
  const parsed = memorySchema.safeParse(raw);
  if (!parsed.success) {
    const path = (parsed.error.issues[0]?.path ?? []).map(String);
    throw new LockstepError("CONFIG_INVALID", `${path.join(".") || "memory"}: is not valid`, {
      details: { path },
    });
  }
  const { token, ...told } = parsed.data.memory;
  const config = {
    place: told.place,
    conditionalWrite: told.conditionalWrite ?? false,
    readable: told.readable ?? true,
    deletable: told.deletable ?? true,
    restarts: told.restarts ?? true,
    requestTimeoutMs: told.requestTimeoutMs ?? 1_000,
  } satisfies MemoryConfig;
  return { config, credentials: token === undefined ? null : { token } };
}

/** What was stored came from `parseMemory`. */
export function readConfig(config: JsonObject): MemoryConfig {
  return config as unknown as MemoryConfig;
}
