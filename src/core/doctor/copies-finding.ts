/** Copies of a secret that stand on a host beside the kept one: the one that wins over it, and those that grow old. Pure. */
import { ageText } from "../../lib/age.ts";
import { shellQuote } from "../../lib/shell-quote.ts";
import { copyText, holdsText } from "../copies/words.ts";
import type { CopyKind, FoundCopy } from "../ports/copies.ts";
import { aboutTarget } from "./about-target.ts";
import { listText } from "./consequences.ts";
import type { BindingFacts, DoctorFacts, SecretFacts, TargetFacts } from "./facts.ts";
import type { Finding } from "./finding.ts";

const MAX_NAMED = 8;
/** A command over SSH is not always given it, and `systemctl --user` finds the manager by it. */
const RUNTIME_DIRECTORY = "XDG_RUNTIME_DIR=/run/user/$(id -u)";

/** What runs already goes on with what it was given: without this the corrected file changes nothing. */
const AFTERWARDS: Readonly<Partial<Record<CopyKind, string>>> = {
  compose: " Then run `docker compose up -d` there, which creates its container again.",
  plist:
    " Then load the job again there with `launchctl bootout` and `launchctl bootstrap`: a restart alone keeps what was loaded.",
};

export function shadowedCause(winner: FoundCopy, { kind, systemdUnit, isUserUnit }: TargetFacts): string {
  const unit = isUserUnit === true ? `${systemdUnit} (user)` : systemdUnit;
  const process = winner.kind === "compose" ? "its container" : (unit ?? "the process");
  const where = kind === "agent" ? " on that machine" : "";
  const remedy = winner.alone
    ? `Remove the line${where}, so that only one place decides.`
    : `Remove ${winner.key} from it${where}, so that only one place decides.`;
  return `${copyText(winner)} also sets ${winner.key} and overrides this one: ${process} starts with ${holdsText(winner)}, whatever Lockstep writes. ${remedy}${AFTERWARDS[winner.kind] ?? ""}`;
}

/** On the host, as a person who may do so there. Null: where a line cannot simply go, or nobody is known to log in. */
export function removeCopy(
  { file, line, key, alone, kind }: FoundCopy,
  { sshAddress, systemdUnit, isUserUnit }: TargetFacts,
): string | null {
  if (sshAddress === null || systemdUnit === null || line === null || key === null || !alone) return null;
  if (kind !== "unit" && kind !== "environment-file") return null;
  const sudo = isUserUnit === true ? "" : "sudo ";
  const systemctl = isUserUnit === true ? `${RUNTIME_DIRECTORY} systemctl --user` : "sudo systemctl";
  const edit = `${sudo}sed -i.lockstep-before ${shellQuote(`${line}{/${key}=/d;}`)} ${shellQuote(file)}`;
  const reload = kind === "unit" ? ` && ${systemctl} daemon-reload` : "";
  const script = `${edit}${reload} && ${systemctl} restart ${shellQuote(systemdUnit)}`;
  // A user's own manager takes the word of that user alone.
  const host = isUserUnit === true ? `${sshAddress.user}@${sshAddress.host}` : sshAddress.host;
  return onHost({ host, port: sshAddress.port }, script);
}

/** The value in force, readable by every user of the host: whoever gets in there as anybody has it. */
export function exposedCopies(
  secret: SecretFacts,
  binding: BindingFacts,
  target: TargetFacts,
): readonly Finding[] {
  const exposed = binding.copies.filter(({ open, version }) => open && version === secret.current);
  const [first] = exposed;
  if (first === undefined) return [];
  const inUnit = exposed.some(({ kind }) => kind === "unit");
  return [
    {
      id: "exposed",
      severity: "wrong",
      secret: secret.name,
      target: target.name,
      key: binding.key,
      placement: binding.placement,
      environment: target.environment,
      what: `Every user of the host of ${target.name} can read v${secret.current} of ${secret.name}: ${listText(exposed.map(copyText))}.`,
      cause: inUnit
        ? "systemd shows everybody what a unit sets. Put the value into a file of mode 0600 that `EnvironmentFile=` or `LoadCredential=` names, and rotate the secret."
        : "The file's mode lets others read it. Change the mode or delete the copy, and rotate the secret.",
      consequence: [],
      command: inUnit ? null : closeCopies(exposed, target),
    },
  ];
}

/** Somebody may have meant it; everybody in the group is as good as the owner. */
export function sharedFiles(target: TargetFacts): readonly Finding[] {
  if (target.sharedFiles.length === 0) return [];
  const named = target.sharedFiles.map(({ file, group }) => `${file} (group ${group})`);
  return [
    {
      ...aboutTarget(target),
      id: "exposed-to-group",
      severity: "hint",
      what: `On the host of ${target.name} a group can read files that hold a secret: ${listText(named)}.`,
      cause:
        'Everybody in the group can read the secret. Remove that right, or state at the file that it is intended: `mode: "0640"`.',
      consequence: [],
      command: closeCopies(target.sharedFiles, target),
    },
  ];
}

function closeCopies(copies: readonly Pick<FoundCopy, "file">[], { sshAddress }: TargetFacts): string | null {
  if (sshAddress === null) return null;
  const files = [...new Set(copies.map(({ file }) => file))].map((file) =>
    // Whoever runs it has another home.
    file.startsWith("~/") ? `~${sshAddress.user}/${shellQuote(file.slice(2))}` : shellQuote(file),
  );
  return onHost(sshAddress, `sudo chmod go-rwx ${files.join(" ")}`);
}

/** As a person who may do so there, not as Lockstep's own account. */
function onHost({ host, port }: { readonly host: string; readonly port: number }, script: string): string {
  const at = port === 22 ? "" : ` -p ${port}`;
  return `ssh -t${at} ${shellQuote(host)} ${shellQuote(script)}`;
}

/** They change nothing now; whoever reads them uses what Lockstep does not keep. */
export function otherCopies(
  secret: SecretFacts,
  binding: BindingFacts,
  target: TargetFacts,
): readonly Finding[] {
  const others = binding.copies.filter(({ wins }) => !wins);
  if (others.length === 0) return [];
  const named = others.slice(0, MAX_NAMED).map((copy) => `${copyText(copy)} (${holds(copy, secret)})`);
  const more = others.length > named.length ? ` and ${others.length - named.length} more` : "";
  return [
    {
      id: "other-copies",
      severity: "hint",
      secret: secret.name,
      target: target.name,
      key: binding.key,
      placement: binding.placement,
      environment: target.environment,
      what: `${secret.name} is stored on the host of ${target.name} in other places too: ${listText(named)}${more}.`,
      cause:
        "Lockstep does not update these copies. Programs that read them use an old value after the next change, if not already. Remove the copies, or bind them.",
      consequence: [],
      command: null,
    },
  ];
}

function holds(copy: FoundCopy, { current }: SecretFacts): string {
  const key = copy.key === null ? "" : `as ${copy.key}, `;
  const age = copy.version !== null && current !== null && copy.version < current ? ", older" : "";
  return `${key}${holdsText(copy)}${age}`;
}

/** Long enough for any restart, and for a host that was away for a moment. */
const KEPT_TOO_LONG_MS = 3_600_000;

/** What should have been gone by itself. */
export function keptCopies({ keptCopies: kept, now }: DoctorFacts): readonly Finding[] {
  return kept
    .filter(({ keptAt, owedAt }) => now.getTime() - (owedAt ?? keptAt).getTime() > KEPT_TOO_LONG_MS)
    .map(({ target, environment, file, keptAt, owedAt, error }) => ({
      id: "copy-kept",
      severity: "hint",
      secret: null,
      target,
      key: null,
      placement: file,
      environment,
      what: `On the host of ${target} a copy of ${file} from before a change still exists (made ${ageText(keptAt.toISOString(), now)})${owedAt === null ? "" : ", and must be removed"}. It holds older values.`,
      cause:
        error === null
          ? "The restart of its unit has not ended. Lockstep removes the copy when it ends, or when the copy can no longer be put back."
          : `Lockstep could not remove it, and tries again by itself: ${error} To remove it by hand, delete the *.keep and *.wrote files in ~/.lockstep there.`,
      consequence: [],
      command: null,
    }));
}

export function unreadCopies(target: TargetFacts): readonly Finding[] {
  return target.unreadCopies.map(({ file, reason }) => ({
    ...aboutTarget(target),
    id: "copies-unread",
    severity: "hint",
    placement: file,
    what: `${target.name}: ${file} could not be searched for copies.`,
    cause: `${reason[0]?.toUpperCase() ?? ""}${reason.slice(1)}. \`alsoCheck\` names this file.`,
    consequence: [],
    command: null,
  }));
}
