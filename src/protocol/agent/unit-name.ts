/** By which agent and server know what restarts beside it. */
import type { Bundle } from "./messages.ts";

/** The program that `lockstep run` starts. */
export const CHILD_KEY = "child";

/** Commands by the name that the policy knows them by. Null: nothing restarts. */
export function unitName(activate: Bundle["activate"]): string | null {
  if (activate === null) return null;
  const { systemd, launchd, command, signal } = activate;
  if (typeof systemd === "string") return `systemd:${systemd}`;
  if (systemd !== undefined) return `systemd-user:${systemd.unit}`;
  if (launchd !== undefined) return `launchd:${launchd}`;
  if (signal !== undefined) return `signal:${signal.unit}`;
  return command === undefined ? null : `command:${command}`;
}
