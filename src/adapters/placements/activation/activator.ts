/** The activator that a host target's configuration asks for. */
import type { Host } from "../../../core/ports/host.ts";
import type { Activator } from "../../../core/ports/target.ts";
import { createCommandActivator } from "./command.ts";
import type { Activation, Health } from "./config.ts";
import { createSystemdActivator } from "./systemd.ts";

/** Null where nothing restarts: the target only stores. */
export function createHostActivator(
  host: Host,
  activate: Activation | null,
  health: Health | null,
): Activator | null {
  if (activate === null) return null;
  const { systemd, command } = activate;
  if (systemd !== undefined) return createSystemdActivator(host, { ...activate, systemd }, health);
  return command === undefined ? null : createCommandActivator(host, { ...activate, command }, health);
}
