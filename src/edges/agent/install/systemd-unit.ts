/**
 * The agent's systemd unit, confined as far as its work allows (systemd.exec(5)).
 *
 * What is left out, and why: MemoryDenyWriteExecute= cannot be, because V8 writes the code that it runs.
 * PrivateUsers= cannot be, because root's files would then seem to be nobody's, and the agent refuses such files; and
 * a user's manager makes one for every option that needs mounts, so user units go without those. ProtectProc= would
 * hide the processes whose life an activation follows.
 */
import { LockstepError } from "../../../core/errors.ts";
import { OURS, type ServiceFile, type ServiceOptions, writtenDirectories } from "./service.ts";

export const SYSTEMD_UNIT = "lockstep-agent.service";

/** No privilege needed, no mounts made: for user units too. */
const SECCOMP = [
  "NoNewPrivileges=yes",
  "LockPersonality=yes",
  "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
  "RestrictNamespaces=yes",
  "RestrictRealtime=yes",
  "RestrictSUIDSGID=yes",
  "SystemCallArchitectures=native",
  "SystemCallFilter=@system-service",
  "SystemCallErrorNumber=EPERM",
];

const KERNEL = [
  "PrivateDevices=yes",
  "ProtectClock=yes",
  "ProtectControlGroups=yes",
  "ProtectHostname=yes",
  "ProtectKernelLogs=yes",
  "ProtectKernelModules=yes",
  "ProtectKernelTunables=yes",
];

export function buildSystemdUnit(options: ServiceOptions): ServiceFile {
  const { scope, user, policy } = options;
  const asRoot = scope === "system" && user === null;
  const needsSudo =
    scope === "system" && user !== null && policy.units.some((unit) => typeof unit === "string");
  const remarks: string[] = [];
  const lines = [
    `# ${OURS}. For changes of your own: systemctl ${scope === "user" ? "--user " : ""}edit ${SYSTEMD_UNIT}`,
    "[Unit]",
    "Description=Lockstep agent: keeps this machine's secrets the same as everywhere",
    ...(scope === "system" ? ["Wants=network-online.target", "After=network-online.target"] : []),
    // An agent that gave up would leave this machine with old values: it is tried for ever.
    "StartLimitIntervalSec=0",
    "",
    "[Service]",
    "Type=exec",
    `ExecStart=${options.program.map(quoteCommand).join(" ")}`,
    "Environment=NODE_ENV=production",
    "Restart=always",
    "RestartSec=5",
    // A write under way is finished by its own shell.
    "KillMode=mixed",
    "TimeoutStopSec=30",
    ...(user === null ? [] : [`User=${userName(user)}`]),
    "UMask=0077",
    "LimitCORE=0",
  ];
  if (needsSudo) {
    remarks.push(
      `Restarting units as ${user ?? ""} goes through sudo, which needs privileges that a confined service cannot gain: the unit is confined by file system and user alone. Run the agent as root to have it confined further.`,
    );
  } else lines.push(...SECCOMP);
  if (scope === "system") {
    lines.push(...fileSystem(options));
    if (!needsSudo) {
      // Root without its powers, but for keeping a file's group and mode and signalling other users' programs.
      lines.push(
        `CapabilityBoundingSet=${asRoot ? "CAP_CHOWN CAP_FOWNER CAP_KILL" : ""}`,
        "AmbientCapabilities=",
        ...KERNEL,
      );
    }
    if (writtenDirectories(options).includes("/etc")) {
      remarks.push(
        "The policy names a file right in /etc, so the agent may write all of /etc. A directory of its own is safer.",
      );
    }
  } else {
    remarks.push("A user's service ends with the session; to keep it: loginctl enable-linger");
  }
  if (scope === "system" && policy.units.some((unit) => typeof unit !== "string")) {
    remarks.push(
      user === null
        ? "The policy names units of a user, and an agent that runs as root refuses those: run one as that user."
        : `The policy's units of ${user} run without a login only after: loginctl enable-linger ${user}`,
    );
  }
  if (Object.keys(policy.commands).length > 0) {
    remarks.push(
      "The policy's commands run inside the same confinement; if one needs more, allow it with `systemctl edit`.",
    );
  }
  lines.push("", "[Install]", `WantedBy=${scope === "system" ? "multi-user.target" : "default.target"}`, "");
  return { content: lines.join("\n"), mode: 0o644, remarks };
}

/** Everything is read-only but what applying writes. A missing directory (`-`) does not keep the agent from starting. */
function fileSystem(options: ServiceOptions): readonly string[] {
  const written = writtenDirectories(options);
  const hasUserUnits = options.policy.units.some((unit) => typeof unit !== "string");
  const isBelow = (roots: readonly string[]) =>
    [...written, ...options.program].some((path) =>
      roots.some((root) => path === root || path.startsWith(`${root}/`)),
    );
  return [
    "ProtectSystem=strict",
    // The sockets of users' managers lie in /run/user, which `yes` hides too.
    `ProtectHome=${hasUserUnits || isBelow(["/home", "/root", "/run/user"]) ? "read-only" : "yes"}`,
    `PrivateTmp=${isBelow(["/tmp", "/var/tmp"]) ? "no" : "yes"}`,
    ...written.map((path) => `ReadWritePaths=${quoteWord(`-${path}`)}`),
  ];
}

/** systemd.service(5), "Command lines": `%` and `$` mean something there. */
function quoteCommand(word: string): string {
  return quoteWord(word).replaceAll("$", "$$$$");
}

function quoteWord(word: string): string {
  if (/\p{Cc}/u.test(word)) {
    throw new LockstepError("INPUT_INVALID", "Cannot write a unit: a path holds a control character.");
  }
  const plain = word.replaceAll("%", "%%");
  return /^[A-Za-z0-9_@:.,/=+%-]+$/.test(plain) ? plain : `"${plain.replaceAll(/["\\]/g, "\\$&")}"`;
}

function userName(name: string): string {
  if (/^[a-z_][a-z0-9_-]{0,31}$/.test(name)) return name;
  throw new LockstepError("INPUT_INVALID", "Cannot write a unit: that is not a user's name.");
}
