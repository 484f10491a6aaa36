/** Settings of the listener on which a worker shows its own metrics. */
import { addressAndPort, type Environment, invalid, text } from "./env-variables.ts";

export interface MetricsListenerSettings {
  readonly address: string;
  /** 0: any free one. */
  readonly port: number;
}

/** Null unless told. Without an address it is this machine's own. */
export function metricsListener(env: Environment): MetricsListenerSettings | null {
  const listen = text(env, "LOCKSTEP_METRICS_LISTEN");
  if (listen === null) return null;
  const parsed = addressAndPort(listen);
  if (parsed === null) {
    throw invalid(
      "LOCKSTEP_METRICS_LISTEN",
      "is not an address and a port",
      "For example 9464, 10.0.0.5:9464 or [::]:9464.",
    );
  }
  return Object.freeze({ address: parsed.address ?? "127.0.0.1", port: parsed.port });
}
