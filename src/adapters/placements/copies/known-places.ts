/** Files of a host in which copies of a secret usually stand, other than those that the configuration names. Pure. */
import { posix } from "node:path";
import type { Activation } from "../activation/config.ts";
import { type NamedUnit, namedUnit } from "../activation/systemd-name.ts";

const BESIDE = [".env", ".env.local", ".env.production"] as const;
/** What editors, `sed -i.bak` and programs that keep their last configuration leave behind. */
const LEFT_BEHIND = [".bak", ".old", ".orig", "~"] as const;
/** Read by the shells in which people and their jobs start programs. */
export const PROFILES = [
  "~/.profile",
  "~/.bash_profile",
  "~/.bashrc",
  "~/.zshenv",
  "~/.zprofile",
  "~/.zshrc",
  "/etc/environment",
] as const;
const LAUNCHD_DIRECTORIES = [
  "~/Library/LaunchAgents",
  "/Library/LaunchAgents",
  "/Library/LaunchDaemons",
] as const;
/** OpenClaw's own services, by its documentation of gateway services. */
const OPENCLAW_UNIT = "~/.config/systemd/user/openclaw-gateway.service";
const OPENCLAW_JOB = "ai.openclaw.gateway";

/** Beside files that are Lockstep's to keep, and of what it restarts. */
export function besideOf(paths: readonly string[], activate: Activation | null): readonly string[] {
  const label = labelOf(activate);
  const isOpenclaw = paths.some((path) => openclawDirectory(path) !== null);
  return distinct([
    ...paths.flatMap((path) => [
      ...LEFT_BEHIND.map((ending) => `${path}${ending}`),
      ...BESIDE.map((name) => posix.join(posix.dirname(path), name)),
      ...openclawFiles(path),
    ]),
    ...(label === null ? [] : jobFiles(label)),
    ...(isOpenclaw ? [OPENCLAW_UNIT, ...jobFiles(OPENCLAW_JOB)] : []),
  ]).filter((path) => !paths.includes(path));
}

/** The variable by which the kept key is known to processes; null: none. */
export function variableOf(place: { readonly placement: string; readonly key: string }): string | null {
  if (openclawDirectory(place.placement) !== null) return "OPENCLAW_GATEWAY_TOKEN";
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(place.key) ? place.key : null;
}

export function systemdUnitOf(activate: Activation | null): NamedUnit | null {
  const name = activate?.systemd ?? activate?.signal?.unit ?? null;
  const named = name === null ? null : namedUnit(name);
  return named !== null && /\.(?:service|socket)$/.test(named.unit) ? named : null;
}

/** A job's label; a systemd unit's name is none. */
export function labelOf(activate: Activation | null): string | null {
  const named = activate?.launchd ?? activate?.signal?.unit ?? null;
  return named === null || /\.(?:service|socket|target|timer)$/.test(named) ? null : named;
}

export function jobFiles(label: string): readonly string[] {
  return LAUNCHD_DIRECTORIES.map((directory) => `${directory}/${label}.plist`);
}

function openclawFiles(path: string): readonly string[] {
  const directory = openclawDirectory(path);
  if (directory === null) return [];
  return ["openclaw.json", "openclaw.json.bak", ".env"].map((name) => `${directory}/${name}`);
}

function openclawDirectory(path: string): string | null {
  return /^(.*\/\.openclaw)\//.exec(path)?.[1] ?? null;
}

function distinct(paths: readonly string[]): readonly string[] {
  return [...new Set(paths)];
}
