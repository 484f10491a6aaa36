/** Settings of the agents' listener. */
import {
  addressAndPort,
  type Environment,
  invalid,
  isLoopbackName,
  networks,
  onOff,
  path,
  plainUrl,
  text,
} from "./env-variables.ts";

/** Where agents dial in. It serves them alone. */
export interface AgentListenerSettings {
  readonly address: string;
  /** 0: any free one. */
  readonly port: number;
  /** What agents dial; null: derived from the address. */
  readonly url: string | null;
  /** Addresses and networks of proxies that may say who connected to them. */
  readonly trustedProxies: readonly string[];
  /** `self-signed`: a certificate of the store's own, which agents pin. `off`: a proxy in front does TLS. */
  readonly tls:
    | { readonly kind: "self-signed" }
    | { readonly kind: "files"; readonly certificateFile: string; readonly keyFile: string }
    | { readonly kind: "off" };
}

/** Without an address it is every address, because agents are elsewhere; without TLS only this machine's own. */
export function agentListener(env: Environment, flag: string | null): AgentListenerSettings | null {
  const listen = flag ?? text(env, "LOCKSTEP_AGENT_LISTEN");
  if (listen === null) return null;
  const tls = agentTls(env);
  const parsed = addressAndPort(listen);
  if (parsed === null) {
    throw invalid(
      flag === null ? "LOCKSTEP_AGENT_LISTEN" : "--agents",
      "is not an address and a port",
      "For example 7421, 0.0.0.0:7421 or [::]:7421.",
    );
  }
  const { address, port } = parsed;
  const url = plainUrl(env, "LOCKSTEP_AGENT_URL");
  if (url !== null && url.pathname !== "/") {
    throw invalid(
      "LOCKSTEP_AGENT_URL",
      "holds a path",
      "Agents need an address of their own, without a path.",
    );
  }
  if (url?.protocol === "http:" && tls.kind !== "off") {
    throw invalid(
      "LOCKSTEP_AGENT_URL",
      "is not https although the listener speaks TLS",
      "Begin it with https://.",
    );
  }
  const isOpen = url === null ? tls.kind === "off" : url.protocol === "http:";
  const name = url?.hostname ?? address ?? "127.0.0.1";
  if (isOpen && !isLoopbackName(name)) {
    throw invalid(
      url === null ? "LOCKSTEP_AGENT_TLS" : "LOCKSTEP_AGENT_URL",
      "would let agents talk unencrypted",
      "With LOCKSTEP_AGENT_TLS=off name the proxy's https address in LOCKSTEP_AGENT_URL.",
    );
  }
  return Object.freeze({
    address: address ?? (tls.kind === "off" ? "127.0.0.1" : "0.0.0.0"),
    port,
    url: url?.origin ?? null,
    tls,
    trustedProxies: trustedProxies(env, tls.kind === "off"),
  });
}

/** Unless told: without TLS of our own the proxy is on this machine. */
export function trustedProxies(env: Environment, isBehindProxy: boolean): readonly string[] {
  const told = networks(env, "LOCKSTEP_TRUSTED_PROXIES");
  return told.length === 0 && isBehindProxy ? ["127.0.0.0/8", "::1"] : told;
}

function agentTls(env: Environment): AgentListenerSettings["tls"] {
  const certificateFile = path(env, "LOCKSTEP_AGENT_TLS_CERT_FILE");
  const keyFile = path(env, "LOCKSTEP_AGENT_TLS_KEY_FILE");
  const isOn = onOff(env, "LOCKSTEP_AGENT_TLS", true);
  if (certificateFile === null && keyFile === null) return { kind: isOn ? "self-signed" : "off" };
  if (isOn && certificateFile !== null && keyFile !== null)
    return { kind: "files", certificateFile, keyFile };
  throw invalid(
    isOn ? "LOCKSTEP_AGENT_TLS_CERT_FILE" : "LOCKSTEP_AGENT_TLS",
    isOn ? "and LOCKSTEP_AGENT_TLS_KEY_FILE need each other" : "is off although a certificate is named",
    "Set both files, or neither.",
  );
}
