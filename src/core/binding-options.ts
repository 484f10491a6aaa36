/**
 * What lockstep.yaml says about one binding other than its place, as the store keeps it. No values. Another release may have
 * stored what this one does not know: then nothing of it counts.
 */
import { z } from "zod";
import { durationMs } from "../lib/duration.ts";
import type { BindingConfig } from "../protocol/config.ts";
import { isJsonObject, type JsonObject } from "./json.ts";
import type { AcceptanceBy } from "./rollout/member.ts";

export interface BindingOptions {
  readonly probe: JsonObject | null;
  readonly usage: JsonObject | null;
  readonly acceptanceBy: AcceptanceBy | null;
  readonly counterProbed: boolean;
  /** It uses what is stored, although nothing can show it. */
  readonly useAttested: boolean;
  /** It tries the other slot when one is refused. */
  readonly triesBoth: boolean;
  /** The longest silence of a caller; 0: not said. */
  readonly silentForMs: number;
  /** Its value may be changed there, and counts then. */
  readonly authority: boolean;
}

const schema = z.object({
  probe: z.record(z.string(), z.json()).optional(),
  usage: z.record(z.string(), z.json()).optional(),
  acceptsFallback: z.enum(["attested"]).optional(),
  evidence: z.enum(["attested"]).optional(),
  triesBoth: z.enum(["attested"]).optional(),
  silentFor: z.string().optional(),
  authority: z.boolean().optional(),
});

/** Through JSON: drops what is undefined, and is what the store gives back. */
export function bindingOptionsToStore(binding: BindingConfig): JsonObject {
  const { probe, usage, acceptsFallback, evidence, triesBoth, silentFor, authority } = binding;
  return JSON.parse(
    JSON.stringify({ probe, usage, acceptsFallback, evidence, triesBoth, silentFor, authority }),
  ) as JsonObject;
}

/** Never throws. */
export function bindingOptionsOf(stored: JsonObject): BindingOptions {
  const { probe, usage, acceptsFallback, evidence, triesBoth, silentFor, authority } =
    schema.safeParse(stored).data ?? {};
  const http = probe?.["http"];
  return {
    probe: (probe ?? null) as JsonObject | null,
    usage: (usage ?? null) as JsonObject | null,
    acceptanceBy: probe !== undefined ? "probe" : usage !== undefined ? "report" : (acceptsFallback ?? null),
    counterProbed: isJsonObject(http) && http["counter"] === true,
    useAttested: evidence === "attested",
    triesBoth: triesBoth === "attested",
    silentForMs: durationMs(silentFor) ?? 0,
    authority: authority === true,
  };
}

/**
 * Who would be asked about it, whatever else is stored beside: a plan compares that with what is to be stored, also where
 * another release wrote it.
 */
export function askedIn(stored: JsonObject): Pick<BindingOptions, "probe" | "usage"> {
  const { probe, usage } = stored;
  return { probe: isJsonObject(probe) ? probe : null, usage: isJsonObject(usage) ? usage : null };
}
