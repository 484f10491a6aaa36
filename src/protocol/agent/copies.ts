/** What an agent tells of copies on its machine: names, lines and versions. Absent in a report where there is nothing. */
import { z } from "zod";

const path = z.string().max(1_024);

export const toldCopies = z.strictObject({
  copies: z
    .array(
      z.strictObject({
        bindingId: z.uuid(),
        slot: z.enum(["primary", "fallback"]),
        file: path,
        line: z.int().min(1).nullable(),
        key: z.string().max(512).nullable(),
        kind: z.enum(["unit", "environment-file", "plist", "compose", "file"]),
        version: z.int().min(0).nullable(),
        wins: z.boolean(),
        open: z.boolean(),
        alone: z.boolean(),
      }),
    )
    .max(200),
  unread: z.array(z.strictObject({ file: path, reason: z.string().max(500) })).max(64),
  /** Readable by a group that is not their owner's own. */
  shared: z
    .array(z.strictObject({ file: path, group: z.string().max(256) }))
    .max(64)
    .exactOptional(),
});
export type ToldCopies = z.output<typeof toldCopies>;
