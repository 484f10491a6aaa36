/**
 * Asks a running service, with one live request, whether it accepts a value: possession is not acceptance, and only the
 * application can tell. What a service answers besides a status is never kept.
 *
 * Implementations never throw for what the service or the network does: not knowing is an answer. They throw only
 * CONFIG_INVALID for a specification that they cannot read.
 */
import type { SecretValue } from "../secret-value.ts";
import type { JsonObject } from "./target.ts";

export type ProbeVerdict = "accepted" | "refused" | "cannot-tell";

export interface ProbeAnswer {
  readonly verdict: ProbeVerdict;
  /** In words, without the value and without anything that the service said: "answered 401", "no connection". */
  readonly reason: string;
}

export interface Prober {
  /**
   * One request on a fresh connection. `spec` is a binding's `probe`, as it stands in lockstep.yaml: `{ http: {…} }` or
   * `{ command: {…} }`; it holds no value.
   */
  probe(spec: JsonObject, value: SecretValue, signal: AbortSignal): Promise<ProbeAnswer>;
}
