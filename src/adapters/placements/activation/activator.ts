/** The activator that a host target's configuration asks for. */

import type { Activator } from "../../../core/ports/activator.ts";
import type { Host } from "../../../core/ports/host.ts";
import type { PlacedFile } from "../placement.ts";
import { createCommandActivator } from "./command.ts";
import type { Activation, Health } from "./config.ts";
import { createLaunchdActivator } from "./launchd.ts";
import { createSignalActivator } from "./signal.ts";
import { createSystemdActivator } from "./systemd.ts";

/** Null where nothing restarts: the target only stores. `files`: the target's own; they decide how a job is restarted, and what a command proves. */
export function createHostActivator(
  host: Host,
  activate: Activation | null,
  health: Health | null,
  files: readonly Pick<PlacedFile, "format" | "asEnvironment">[] = [],
): Activator | null {
  if (activate === null) return null;
  const { systemd, launchd, signal, command } = activate;
  if (systemd !== undefined) return createSystemdActivator(host, { ...activate, systemd }, health);
  if (launchd !== undefined) {
    const plistChanges = files.some(({ format }) => format === "plist");
    return createLaunchdActivator(host, { ...activate, launchd, plistChanges }, health);
  }
  if (signal !== undefined) return createSignalActivator(host, { ...activate, signal }, health);
  return command === undefined ? null : createCommandActivator(host, { ...activate, command }, health, files);
}
