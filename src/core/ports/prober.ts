/**
 * Asks a running service, with one live request, whether it accepts a value: possession is not acceptance, and only the
 * application can tell. Of a service's answer only the status is kept.
 *
 * Implementations never throw for what the service or the network does: not knowing is an answer. They throw only
 * CONFIG_INVALID for a specification that they cannot read.
 */

import type { JsonObject } from "../json.ts";
import type { SecretValue } from "../secret-value.ts";

export type ProbeVerdict = "accepted" | "refused" | "cannot-tell";

export interface ProbeAnswer {
  readonly verdict: ProbeVerdict;
  /** In words, without the value and without anything that the service said: "answered 401", "no connection". */
  readonly reason: string;
}

export interface Prober {
  /**
   * One request on a fresh connection. `spec` is a binding's `probe`, as it stands in lockstep.yaml: `{ http: {…} }`,
   * `{ command: {…} }` or `{ openclaw: {…} }`; it holds no value.
   */
  probe(spec: JsonObject, value: SecretValue, signal: AbortSignal): Promise<ProbeAnswer>;
  /**
   * Tells the service to read its value anew from where it stands, as somebody who has the value that it accepts still.
   * Absent: nothing that it asks can be told so. Nothing that it answers decides anything: ask again.
   */
  reload?(spec: JsonObject, accepted: SecretValue, signal: AbortSignal): Promise<void>;
}
