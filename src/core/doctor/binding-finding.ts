/** One binding that does not hold what it should: what, why, who is refused, and the command that repairs it. Pure. */
import { ageText } from "../../lib/age.ts";
import { winnerOf } from "../copies/winner.ts";
import { holdsText as copyHolds } from "../copies/words.ts";
import { isSourceAwayCode } from "../errors.ts";
import { STAGED_REASON } from "../reconcile/plan-change.ts";
import type { BindingCase } from "./case.ts";
import type { Commands } from "./commands.ts";
import { consequencesOf } from "./consequences.ts";
import { removeCopy, shadowedCause } from "./copies-finding.ts";
import { adoptText, againstText, changedText, foreignText, isReference, nearly } from "./drift-words.ts";
import type { BindingFacts } from "./facts.ts";
import type { Finding, FindingId, Severity } from "./finding.ts";

interface Judgement {
  readonly id: FindingId;
  readonly severity: Severity;
  readonly cause: string;
  readonly command: string | null;
}

/** Longer than any healthy push: then nobody works on it. */
const TAKEN_UP_WITHIN_MS = 120_000;

/** Null: it holds what it should, or another finding (of its target, of its secret) names it. */
export function diagnoseBinding(about: BindingCase, commands: Commands): Finding | null {
  const judgement = judge(about, commands);
  if (judgement === null) return null;
  const { secret, binding, target } = about;
  return {
    ...judgement,
    secret: secret.name,
    target: binding.target,
    key: binding.key,
    placement: binding.placement,
    environment: target.environment,
    what: whatText(about),
    consequence: consequencesOf(binding, secret.bindings),
  };
}

function judge(about: BindingCase, commands: Commands): Judgement | null {
  const { secret, binding, target } = about;
  const { state, wanted, settled } = binding;
  if (isPutBack(about)) return putBack(about, commands);
  if (state === "in-sync") return staged(about);
  if (state === "leftover") return leftover(about, commands);
  if (wanted === null) return null;
  if (state === "unreadable") return unreadable(about);
  if (binding.lacking !== null && state === "stale" && binding.version === wanted) {
    return {
      id: "process-behind",
      severity: "wrong",
      cause: `${sentence(`v${wanted} is stored there, but ${binding.lacking}`)} Since the write, the process did not restart, somebody rolled it back to an earlier deployment, or nothing made it read the value again.`,
      command: commands.heal(target, secret),
    };
  }
  if (state === "shadowed") {
    const winner = winnerOf(binding.copies);
    return {
      id: "shadowed",
      severity: "wrong",
      cause:
        winner === null ? "Another copy on that host overrides this one." : shadowedCause(winner, target),
      command: winner === null ? null : removeCopy(winner, target),
    };
  }
  if (settled === wanted && binding.unit !== null) return unit(about, binding.unit, commands);
  if (settled === null && binding.found === "unknown") {
    return {
      id: "foreign",
      severity: "wrong",
      cause: `${foreignText(binding)}, and nobody has allowed Lockstep to overwrite it.`,
      command: commands.takeOver(target, secret),
    };
  }
  if (state === "owed" || settled !== wanted) return notPushed(about, commands);
  return drifted(about, commands);
}

/** Nothing differs yet. */
function staged({ binding, target }: BindingCase): Judgement | null {
  if (binding.foundReason !== STAGED_REASON || binding.found !== "version") return null;
  return {
    id: "staged-change",
    severity: "hint",
    cause: `${sentence(`At ${target.name} ${STAGED_REASON}`)} Discard that value there, or set it here: \`lockstep secret set\`.`,
    command: null,
  };
}

/** Settled once, and something else stands there now. */
function drifted(about: BindingCase, commands: Commands): Judgement {
  const { secret, binding, target, now } = about;
  const wrote = `Lockstep saw v${binding.settled} there${agoText(binding.settledAt, now)}`;
  // A reference is somebody's arrangement: only the explicit word writes over it.
  const command = isReference(binding) ? commands.takeOver(target, secret) : commands.heal(target, secret);
  switch (binding.state) {
    case "stale":
      return {
        id: "stale-copy",
        severity: "wrong",
        cause: `${wrote}; since then an older value was put back: by hand, from a backup, or by another program's deployment.${againstText(target)}`,
        command,
      };
    case "missing":
      return {
        id: "missing",
        severity: "wrong",
        cause: `${wrote}; since then somebody deleted it.`,
        command,
      };
    default:
      return {
        id: "hand-edit",
        severity: "wrong",
        cause: `${wrote}; ${changedText(binding)}.${againstText(target)}${adoptText(about, commands)}`,
        command,
      };
  }
}

/** Owed: never written, or refused. */
function notPushed({ secret, binding, target, now }: BindingCase, commands: Commands): Judgement {
  const wanted = `v${binding.wanted}`;
  const { error, gaveUp, nextActionAt } = target;
  if (error !== null && gaveUp) {
    const cause = `Lockstep never wrote ${wanted} there: it gave up the push. ${error.message} ${error.hint}`;
    const gaveUpFor = { severity: "wrong", cause } as const;
    switch (error.code) {
      case "TARGET_CREDENTIAL_REJECTED":
      case "DESTINATION_CHANGED":
        return { ...gaveUpFor, id: "credential-refused", command: commands.apply() };
      case "TARGET_HOST_KEY":
        return { ...gaveUpFor, id: "host-key", command: commands.trust(target) };
      default:
        return { ...gaveUpFor, id: "push-gave-up", command: commands.testThenResume(target, secret) };
    }
  }
  if (error !== null && isSourceAwayCode(error.code)) {
    // A finding of its own tells of it; nothing is to be done at this place.
    return {
      id: "on-its-way",
      severity: "moving",
      cause: `${wanted} waits: ${error.message}`,
      command: null,
    };
  }
  if (error?.code === "STEP_OPEN") {
    return {
      id: "step-open",
      severity: "wrong",
      cause: "Lockstep cannot write to this place: a person must put the value there, and then confirm it.",
      command: commands.step(target),
    };
  }
  if (error !== null) {
    return {
      id: "push-retrying",
      severity: "wrong",
      cause: `${wanted} is not there yet. ${error.message} ${error.hint}${againText(nextActionAt, now)}`,
      command: commands.testThenHeal(target, secret),
    };
  }
  const waitedMs = nextActionAt === null ? 0 : now.getTime() - nextActionAt.getTime();
  if (waitedMs > TAKEN_UP_WITHIN_MS) {
    return {
      id: "not-pushed",
      severity: "wrong",
      cause: `${wanted} was never pushed: no worker has started on it. It became due ${ageText(nextActionAt?.toISOString() ?? null, now)}. Start one with \`lockstep worker\`, or \`lockstep up\`.`,
      command: null,
    };
  }
  return { id: "on-its-way", severity: "moving", cause: `${wanted} is on its way.`, command: null };
}

function unit(
  { secret, binding, target }: BindingCase,
  { name, state, error }: NonNullable<BindingFacts["unit"]>,
  commands: Commands,
): Judgement {
  if (state !== "blocked") {
    return {
      id: "unit-restarting",
      severity: "moving",
      cause: `v${binding.wanted} is stored; ${name} ${state === "restarting" ? "is restarting" : "is about to restart"}.`,
      command: null,
    };
  }
  return {
    id: "unit-blocked",
    severity: "wrong",
    cause: `v${binding.wanted} is stored, but ${name} did not restart, so its process still runs with the previous value. ${sentence(error ?? "No reason was given")} See the unit's own log first.`,
    command: commands.resume(target, secret),
  };
}

/** The unit did not run with the value, so Lockstep itself restored the file: neither drift nor an owed write. */
function isPutBack({ binding, target }: BindingCase): boolean {
  const ours = binding.settled !== null && binding.settled === binding.wanted && binding.evidence === null;
  return ours && target.gaveUp && target.error?.code === "ACTIVATION_FAILED";
}

function putBack({ secret, binding, target }: BindingCase, commands: Commands): Judgement {
  return {
    id: "unit-blocked",
    severity: "wrong",
    cause: `v${binding.wanted} was stored, but ${sentence(target.error?.message ?? "")} See the unit's own log first.`,
    command: commands.resume(target, secret),
  };
}

/** When the place itself could not be looked at, its own finding says so. */
function unreadable({ binding, target }: BindingCase): Judgement | null {
  if (target.look !== null && target.look !== "looked") return null;
  return {
    id: "unreadable",
    severity: "cannot-tell",
    cause: sentence(binding.foundReason ?? "Lockstep has not checked it yet"),
    command: null,
  };
}

function leftover({ secret, binding, target, now }: BindingCase, commands: Commands): Judgement {
  const { error, gaveUp, nextActionAt } = target;
  const cause = `Its binding was removed, and ${binding.key} must still be deleted there.`;
  if (error === null) return { id: "leftover", severity: "moving", cause, command: null };
  return {
    id: "leftover",
    severity: "wrong",
    cause: `${cause} ${error.message} ${error.hint}${gaveUp ? "" : againText(nextActionAt, now)}`,
    command: commands.testThenResume(target, secret),
  };
}

function whatText({ secret, binding, target, now }: BindingCase): string {
  const where = `${binding.target}, ${binding.placement === "" ? "" : `${binding.placement}, `}key ${binding.key}`;
  if (binding.state === "leftover") return `${where}: still holds what was written for ${secret.name}.`;
  const since = secret.currentSince;
  const current =
    since === null || binding.wanted !== secret.current
      ? ""
      : ` since ${since.toISOString().slice(0, 16).replace("T", " ")} UTC (${ageText(since.toISOString(), now)})`;
  const seen = binding.observedAt === null ? "" : ` (seen ${ageText(binding.observedAt.toISOString(), now)})`;
  const holds = isPutBack({ secret, binding, target, now })
    ? "holds the value from before"
    : holdsText(binding);
  return `${where}: ${holds}${seen}, should hold v${binding.wanted}${current}.`;
}

function holdsText(binding: BindingFacts): string {
  const winner = binding.state === "shadowed" ? winnerOf(binding.copies) : null;
  if (winner !== null)
    return `holds v${binding.version}, but another copy overrides it, with ${copyHolds(winner)}`;
  if (binding.unit !== null) return `holds v${binding.version}, not used yet`;
  if (binding.lacking !== null && binding.state === "stale" && binding.version === binding.wanted)
    return `holds v${binding.version}, but its process uses another value`;
  if (binding.state === "unreadable") return "holds something that could not be read";
  if (binding.found === "unknown") {
    const almost = nearly(binding);
    if (almost !== null) return `holds ${almost.replace(/^it is /, "")}`;
    return isReference(binding) ? "refers to another variable" : "holds a value that Lockstep does not know";
  }
  if (binding.version !== null) return `holds v${binding.version}`;
  return binding.found === null ? "was never checked" : "holds nothing";
}

function againText(at: Date | null, now: Date): string {
  if (at === null) return "";
  const seconds = Math.max(0, Math.round((at.getTime() - now.getTime()) / 1000));
  return ` Lockstep tries again in ${seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`}.`;
}

function agoText(at: Date | null, now: Date): string {
  return at === null ? "" : ` ${ageText(at.toISOString(), now)}`;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
