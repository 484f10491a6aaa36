/**
 * Readers of one variable each, for `settings.ts` and its parts. A wrong one is refused by name, with the remedy, and never
 * quoted: it may hold a credential.
 */
import { isIP } from "node:net";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { LockstepError } from "../core/errors.ts";
import { judgePath } from "../lib/trusted-path.ts";
import { readUserFileSync, UnreadableFile } from "../lib/user-file.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export function text(env: Environment, name: string): string | null {
  const value = env[name]?.trim();
  return value === undefined || value === "" ? null : value;
}

export function path(env: Environment, name: string): string | null {
  const value = text(env, name);
  if (value === null) return null;
  return resolve(value.startsWith("~/") ? join(homedir(), value.slice(2)) : value);
}

/** `NAME`, or the content of the file that `NAME_FILE` names: containers hand credentials over as files. */
export function secretText(env: Environment, name: string): string | null {
  const direct = text(env, name);
  const file = path(env, `${name}_FILE`);
  if (file === null) return direct;
  if (direct !== null) throw invalid(name, `is set, and so is ${name}_FILE`, "Set only one of the two.");
  const judged = judgePath(file, { uid: process.geteuid?.() ?? 0, sticky: true });
  if (judged.ok === false) throw invalid(`${name}_FILE`, `cannot be trusted: ${judged.why}`, judged.remedy);
  return readSettingFile(`${name}_FILE`, file, MAX_CREDENTIAL_BYTES).trim();
}

const MAX_CREDENTIAL_BYTES = 64 * 1024;

/** The text of a file that a setting names. Throws SETTING_INVALID. */
export function readSettingFile(name: string, file: string, maxBytes: number): string {
  try {
    return readUserFileSync(file, { maxBytes }).toString("utf8");
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    throw invalid(name, `names a file that ${error.message}`, `Check that ${file} is the right one.`);
  }
}

export function plainUrl(env: Environment, name: string): URL | null {
  const value = text(env, name);
  if (value === null) return null;
  const parsed = URL.canParse(value) ? new URL(value) : null;
  if (parsed === null || (parsed.protocol !== "https:" && parsed.protocol !== "http:")) {
    throw invalid(name, "is not an address", "For example https://lockstep.example.com.");
  }
  if (parsed.username !== "" || parsed.password !== "" || parsed.search !== "" || parsed.hash !== "") {
    throw invalid(name, "holds more than an address", "Leave out user, password, query and #.");
  }
  return parsed;
}

export function isLoopbackName(hostname: string): boolean {
  return (
    hostname === "localhost" || hostname === "[::1]" || hostname === "::1" || /^127(\.\d+){3}$/.test(hostname)
  );
}

/** Addresses and networks as 192.0.2.0/24, divided by commas or spaces. */
export function networks(env: Environment, name: string): readonly string[] {
  const told = (text(env, name) ?? "").split(/[\s,]+/).filter((one) => one !== "");
  for (const one of told) {
    const [address = "", bits, ...rest] = one.split("/");
    const most = isIP(address) === 6 ? 128 : 32;
    const isWhole = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most);
    // All of the world is nobody's proxy: everybody could say then that a request comes from elsewhere.
    if (isIP(address) === 0 || !isWhole || bits === "0" || rest.length > 0) {
      throw invalid(
        name,
        "holds what is neither an address nor a network",
        "For example 10.0.0.5 or 10.0.0.0/24, divided by commas.",
      );
    }
  }
  return told;
}

export function onOff(env: Environment, name: string, fallback: boolean): boolean {
  const value = text(env, name)?.toLowerCase();
  if (value === undefined) return fallback;
  if (["1", "true", "on", "yes"].includes(value)) return true;
  if (["0", "false", "off", "no"].includes(value)) return false;
  throw invalid(name, "is neither on nor off", "Use on or off.");
}

export function wholeNumber(
  env: Environment,
  name: string,
  { fallback, min, max }: { readonly fallback: number; readonly min: number; readonly max: number },
): number {
  const value = text(env, name);
  if (value === null) return fallback;
  const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= min && number <= max) return number;
  throw invalid(name, "is out of range", `Use a whole number from ${min} to ${max}.`);
}

export function invalid(name: string, state: string, remedy: string): LockstepError {
  return new LockstepError("SETTING_INVALID", `Cannot start: ${name} ${state}.`, {
    details: { setting: name },
    hint: remedy,
  });
}

/** `[ADDRESS:]PORT`; null: it is not that. `address` is undefined where none is named, and without brackets. */
export function addressAndPort(
  listen: string,
): { readonly address: string | undefined; readonly port: number } | null {
  const [, address, digits = ""] = /^(?:(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):)?(\d{1,5})$/.exec(listen) ?? [];
  const port = digits === "" ? Number.NaN : Number(digits);
  return port <= 65_535 ? { address: address?.replace(/^\[|\]$/g, ""), port } : null;
}
