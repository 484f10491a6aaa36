/** Answers that `target test` reads: what is not of the expected form counts as not told. Pure. */
import { z } from "zod";
import { LockstepError } from "../../../../core/errors.ts";

export const creationAnswer = z.object({ data: z.object({ creation_time: z.number() }) });

const settings = {
  max_versions: z.number().optional(),
  cas_required: z.boolean().optional(),
  /** Go's form: `0s`, `768h0m0s`. */
  delete_version_after: z.string().max(64).optional(),
};

export const configAnswer = z.object({ data: z.object(settings) });

export const metadataAnswer = z.object({
  data: z.object({
    ...settings,
    current_version: z.number(),
    versions: z.record(z.string(), z.object({ destroyed: z.boolean() })),
  }),
});

export type Settings = z.output<typeof configAnswer>;
export type Metadata = z.output<typeof metadataAnswer>;

export function readAnswer<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> | null {
  const parsed = schema.safeParse(body);
  return parsed.success ? parsed.data : null;
}

const capabilities = z.record(z.string(), z.unknown());

/** By path, under `data` or, from older servers, beside it. */
export function rightsAnswer(
  body: unknown,
  paths: readonly string[],
): ReadonlyMap<string, readonly string[]> {
  const outer = readAnswer(capabilities, body);
  const inner = readAnswer(capabilities, outer?.["data"]) ?? outer;
  if (inner === null)
    throw new LockstepError(
      "TARGET_PROTOCOL",
      "The server's answer about the token's rights was not understood.",
    );
  const words = z.array(z.string());
  return new Map(paths.map((path) => [path, readAnswer(words, inner[path]) ?? []]));
}
