/** `target test` for a unit of the user that logs in: its manager runs, knows the unit, and goes on after the logout. */
import { LockstepError } from "../../../core/errors.ts";
import type { Host } from "../../../core/ports/host.ts";
import { lingerRemedy } from "../../hosts/script/user-manager.ts";
import { lingers, userNameOn } from "../../placements/activation/systemctl.ts";
import { showUnit } from "../../placements/activation/systemd.ts";
import { type NamedUnit, unitLabel } from "../../placements/activation/systemd-name.ts";

export async function judgeUserUnit(host: Host, named: NamedUnit, signal: AbortSignal): Promise<string> {
  await showUnit(host, named, signal);
  return "the user's own manager has it, and needs no further right";
}

/** Without it the manager runs because somebody is logged in, maybe by this very look. */
export async function judgeLinger(host: Host, named: NamedUnit, signal: AbortSignal): Promise<string> {
  const isKept = await lingers(host, signal);
  if (isKept === true) return "the user's manager runs without a login too";
  const user = await userNameOn(host, signal);
  if (isKept === null)
    return `the host does not say whether ${user} lingers; without it ${unitLabel(named)} ends with the last login`;
  throw new LockstepError(
    "TARGET_MISSING",
    `${user} does not linger: the user's manager ends with the last login, and ${unitLabel(named)} with it.`,
    { hint: lingerRemedy(user) },
  );
}
