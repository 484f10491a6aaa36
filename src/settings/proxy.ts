/**
 * LOCKSTEP_PROXY, an address or `from-environment` for HTTPS_PROXY and ALL_PROXY; NO_PROXY holds
 * for both. Without it no proxy is used, whatever the environment says: a variable that a shell or a container brought
 * along does not decide where tokens and values pass.
 */

import { readNoProxy } from "../lib/proxy/no-proxy.ts";
import { DIRECT, type HttpProxy, type WayOut } from "../lib/proxy/way-out.ts";
import { addressSetting } from "./addresses.ts";
import { type Environment, invalid, secretText, text } from "./env-variables.ts";

const NAME = "LOCKSTEP_PROXY";
/** Everything outside this machine is asked over TLS, so that HTTP_PROXY is for nothing of ours. */
const VARIABLES = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] as const;

/** Throws SETTING_INVALID. */
export function wayOut(env: Environment): WayOut {
  const written = secretText(env, NAME);
  const known = VARIABLES.find((name) => text(env, name) !== null) ?? null;
  if (written === null) return { ...DIRECT, ignored: known };
  if (/^(?:off|none|direct)$/i.test(written)) return DIRECT;
  const isFromEnvironment = written === "from-environment";
  if (isFromEnvironment && known === null) return DIRECT;
  const [name, address] = isFromEnvironment
    ? [known ?? NAME, text(env, known ?? NAME) ?? ""]
    : [NAME, written];
  const proxy = proxyAt(name, address);
  const [rules = "NO_PROXY"] = ["NO_PROXY", "no_proxy"].filter((one) => text(env, one) !== null);
  const isDirect = readNoProxy(text(env, rules) ?? "");
  if (isDirect === null)
    throw invalid(
      rules,
      "holds what is neither a name nor an address nor a network",
      "For example localhost,.example.com,10.0.0.0/8,db:5432; * means everything.",
    );
  return { proxy, isDirect, ignored: null };
}

function proxyAt(name: string, written: string): HttpProxy {
  // As many write it.
  const whole = /^[\p{L}\p{N}.-]+:\d{1,5}\/?$/u.test(written) ? `http://${written}` : written;
  if (/^socks/i.test(whole))
    throw invalid(
      name,
      "names a SOCKS proxy, which Lockstep does not use",
      "Name an HTTP proxy: http://HOST:3128.",
    );
  const { scheme, host, port, path, user, password } = addressSetting(whole, {
    name,
    schemes: ["http", "https"],
    parameters: [],
    example: "http://USER:PASSWORD@HOST:3128, or from-environment",
  });
  if (host === "" || host.startsWith("/") || path !== "")
    throw invalid(name, "names no host, or a path", "For example http://proxy.example.com:3128.");
  const isTls = scheme === "https";
  return {
    isTls,
    host,
    port: port ?? (isTls ? 443 : 80),
    authorization:
      user === null && password === null
        ? null
        : `Basic ${Buffer.from(`${user ?? ""}:${password ?? ""}`).toString("base64")}`,
  };
}
