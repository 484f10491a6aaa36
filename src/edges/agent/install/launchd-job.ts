/**
 * The agent's launchd job (launchd.plist(5)). No secret stands in it: the identity is a file of the agent's own. It is
 * its owner's alone where it is a user's; launchd wants the system's to be readable.
 */
import { LockstepError } from "../../../core/errors.ts";
import { OURS, type ServiceFile, type ServiceOptions } from "./service.ts";

export const LAUNCHD_LABEL = "lockstep.agent";

export function buildLaunchdJob(options: ServiceOptions): ServiceFile {
  const { scope, program, user, stateDirectory } = options;
  const log = `${stateDirectory}/agent.log`;
  const entries: readonly (readonly [string, string])[] = [
    ["Label", text(LAUNCHD_LABEL)],
    ["ProgramArguments", `<array>\n${program.map((word) => `\t\t${text(word)}\n`).join("")}\t</array>`],
    // launchd's own PATH lacks /usr/local; scripts of the policy name absolute paths anyway.
    [
      "EnvironmentVariables",
      dict([
        ["NODE_ENV", text("production")],
        ["PATH", text("/usr/bin:/bin:/usr/sbin:/sbin")],
      ]),
    ],
    ["RunAtLoad", "<true/>"],
    ["KeepAlive", "<true/>"],
    ["ThrottleInterval", "<integer>10</integer>"],
    ["ProcessType", text("Background")],
    ["WorkingDirectory", text("/")],
    // Octal 077, which property lists write as a decimal number.
    ["Umask", "<integer>63</integer>"],
    ["SoftResourceLimits", dict([["Core", "<integer>0</integer>"]])],
    ["HardResourceLimits", dict([["Core", "<integer>0</integer>"]])],
    ["StandardOutPath", text(log)],
    ["StandardErrorPath", text(log)],
    ...(scope === "system" && user !== null ? ([["UserName", text(user)]] as const) : []),
  ];
  const content = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- ${OURS}. -->
<plist version="1.0">
<dict>
${entries.map(([key, value]) => `\t<key>${key}</key>\n\t${value}\n`).join("")}</dict>
</plist>
`;
  return {
    content,
    mode: scope === "system" ? 0o644 : 0o600,
    remarks:
      scope === "user"
        ? [
            "A user's job runs while the user is logged in; on a Mac that nobody logs in to, install with --system.",
          ]
        : [],
  };
}

function dict(entries: readonly (readonly [string, string])[]): string {
  return `<dict>\n${entries.map(([key, value]) => `\t\t<key>${key}</key>\n\t\t${value}\n`).join("")}\t</dict>`;
}

function text(value: string): string {
  if (/\p{Cc}/u.test(value)) {
    throw new LockstepError("INPUT_INVALID", "Cannot write a job: a path holds a control character.");
  }
  const escaped = value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return `<string>${escaped}</string>`;
}
