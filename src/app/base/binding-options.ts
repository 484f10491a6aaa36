/** What the configuration says about one binding other than its place, as it is stored. No values. */
import { z } from "zod";
import type { JsonObject } from "../../core/json.ts";
import type { AcceptanceBy } from "../../core/rollout/member.ts";
import { durationMs } from "../../lib/duration.ts";

const schema = z.object({
  probe: z.record(z.string(), z.json()).optional(),
  usage: z.record(z.string(), z.json()).optional(),
  acceptsFallback: z.enum(["attested"]).optional(),
  /** It uses what is stored, although nothing can show it. */
  evidence: z.enum(["attested"]).optional(),
  /** It tries the other slot when one is refused. */
  triesBoth: z.enum(["attested"]).optional(),
  silentFor: z.string().optional(),
  /** Its value may be changed there, and counts then. */
  authority: z.boolean().optional(),
});

export interface BindingOptions {
  readonly probe: JsonObject | null;
  readonly usage: JsonObject | null;
  readonly acceptanceBy: AcceptanceBy | null;
  readonly counterProbed: boolean;
  readonly useAttested: boolean;
  readonly triesBoth: boolean;
  readonly silentForMs: number;
  readonly authority: boolean;
}

export function bindingOptionsOf(stored: JsonObject): BindingOptions {
  const { probe, usage, acceptsFallback, evidence, triesBoth, silentFor, authority } =
    schema.safeParse(stored).data ?? {};
  const http = probe?.["http"];
  return {
    probe: (probe ?? null) as JsonObject | null,
    usage: (usage ?? null) as JsonObject | null,
    acceptanceBy: probe !== undefined ? "probe" : usage !== undefined ? "report" : (acceptsFallback ?? null),
    counterProbed: isObject(http) && http["counter"] === true,
    useAttested: evidence === "attested",
    triesBoth: triesBoth === "attested",
    silentForMs: durationMs(silentFor) ?? 0,
    authority: authority === true,
  };
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
