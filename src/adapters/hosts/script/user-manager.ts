/**
 * How the manager of a user's own systemd units is reached (systemctl(1), `--user`): shell text, for scripts that ask it.
 *
 * systemctl finds it by XDG_RUNTIME_DIR and DBUS_SESSION_BUS_ADDRESS, which a login sets where PAM does (pam_systemd(8)).
 * A session without PAM, and a service of the system that runs as the user, lack them. What is set stays.
 */
export const REACH_USER_MANAGER = [
  '[ -n "${XDG_RUNTIME_DIR:-}" ] || XDG_RUNTIME_DIR=/run/user/$(id -u)',
  '[ -n "${DBUS_SESSION_BUS_ADDRESS:-}" ] || DBUS_SESSION_BUS_ADDRESS=unix:path=$XDG_RUNTIME_DIR/bus',
  "export XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS",
].join("; ");

/** systemctl's words where nobody answers at the manager's socket, through its releases. */
const NO_ANSWER = /^Failed to (?:connect to|get)\b.*\bbus\b/im;

/** By what systemctl said: the manager does not run, or answers somebody else alone. Null: it did answer. */
export function whyNoUserManager(stderr: string): "not-running" | "not-allowed" | null {
  if (!NO_ANSWER.test(stderr)) return null;
  return /permission denied|not permitted/i.test(stderr) ? "not-allowed" : "not-running";
}

/** `user`: a name that was checked. As the user it needs no root where the host's rules let everybody do it. */
export function lingerRemedy(user: string): string {
  return `Let it run without a login: loginctl enable-linger ${user} (as root: sudo loginctl enable-linger ${user}).`;
}
