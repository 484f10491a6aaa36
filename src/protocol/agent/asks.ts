/**
 * Questions that an agent puts to services which listen, or write their counts, on its own machine alone, and what it
 * tells of their answers. The machine's owner allows each URL and file; without that nothing is asked.
 *
 * Both fields of the messages are absent where they would be empty: messages are read strictly, and an agent of an
 * earlier release knows neither.
 */
import { z } from "zod";

const whole = z.int().min(0);
/** Versions and epochs, as the store's own numbers: 32 bits. */
export const wholeInStore = whole.max(2_147_483_647);
/** Bindings that one agent may be asked about. */
export const MAX_ASKED = 1_000;
/** Of one binding: a rollout is about two, and a verifier tells of few more. */
const MAX_VERSIONS = 64;
const reason = z.string().max(500);
const specification = z.record(z.string(), z.json());

export const bundleAsk = z.strictObject({
  bindingId: z.uuid(),
  /** For people. */
  secret: z.string().max(128),
  /** A binding's `probe` and `usage` as they stand in lockstep.yaml; null: it has none that is asked from there. */
  probe: specification.nullable(),
  usage: specification.nullable(),
  /** To be asked about by the look that the bundle carries. Empty: nothing is, now. */
  versions: z.array(z.strictObject({ version: whole, value: z.string() })),
  /** Where a refused `wanted` may only not have been read yet: the service is told to, by who has what it accepts still. */
  reload: z
    .strictObject({ wanted: whole, by: z.strictObject({ version: whole, value: z.string() }) })
    .exactOptional(),
  /** Its value may be changed at the service itself, and counts then: what stands at its place may be told. */
  authority: z.literal(true).exactOptional(),
  /** What opens the endpoint of use counts. */
  tokens: z.array(z.string()),
});
export type BundleAsk = z.output<typeof bundleAsk>;

export const reportedAnswer = z.strictObject({
  bindingId: z.uuid(),
  acceptance: z
    .array(
      z.strictObject({
        version: wholeInStore,
        verdict: z.enum(["accepted", "refused", "cannot-tell"]),
        reason,
      }),
    )
    .max(MAX_VERSIONS),
  /** Null: not asked for. Ages in ms, because clocks differ. */
  usage: z
    .discriminatedUnion("state", [
      z.strictObject({
        state: z.literal("told"),
        holds: z.array(wholeInStore).max(MAX_VERSIONS),
        used: z.array(z.strictObject({ version: wholeInStore, agoMs: whole })).max(MAX_VERSIONS),
      }),
      z.strictObject({ state: z.literal("cannot-tell"), reason }),
    ])
    .nullable(),
});
/**
 * A value that the service of this machine accepts, while it refuses ours: `sealToServer`'s text, so that only the server
 * can read it, however far the request travels.
 */
export const newerValue = z.strictObject({ bindingId: z.uuid(), sealed: z.string().max(131_072) });
export type NewerValue = z.output<typeof newerValue>;

export type ReportedAnswer = z.output<typeof reportedAnswer>;
