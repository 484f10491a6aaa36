/** Operations on places and on the store itself. */
import { z } from "zod";
import { operation } from "./api-operation.ts";
import { evidence, name } from "./api-parts.ts";

const tested = z.object({
  target: z.string(),
  environment: z.string(),
  kind: z.string(),
  ok: z.boolean(),
  checks: z.array(z.object({ name: z.string(), ok: z.boolean(), message: z.string() })).readonly(),
  capabilities: z.object({
    maxEvidence: evidence,
    readable: z.boolean(),
    deletable: z.boolean(),
    conditionalWrite: z.boolean(),
    inFlightMs: z.int(),
  }),
});
export type TestedTarget = z.output<typeof tested>;

const rewrapped = z.object({
  versions: z.int(),
  credentials: z.int(),
  /** Stayed as they are, because no known key opens them. Empty: the previous root key is not needed any more. */
  unreadable: z
    .array(
      z.object({
        kind: z.enum(["version", "credentials"]),
        secretId: z.string().exactOptional(),
        version: z.int().exactOptional(),
        targetId: z.string().exactOptional(),
      }),
    )
    .readonly(),
});

export const STORE_OPERATIONS = {
  testTarget: operation({
    method: "POST",
    path: "/targets/:environment/:name/test",
    summary: "Credential, address and rights of one target. Changes nothing there.",
    permission: "target.test",
    params: z.strictObject({ environment: name, name }),
    answer: tested,
  }),
  rewrap: operation({
    method: "POST",
    path: "/rewrap",
    summary: "Wraps every data key anew under the present root key. Values stay as they are.",
    permission: "store.rewrap",
    answer: rewrapped,
  }),
};
