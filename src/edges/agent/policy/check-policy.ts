/** Judges what a bundle asks for against the host's policy. Pure; each refusal brings the lines that would allow it. */
import { keepsOld } from "../../../adapters/placements/activation/old-environment.ts";
import type { SystemdName } from "../../../adapters/placements/activation/systemd-name.ts";
import { FORMAT_NAMES } from "../../../adapters/placements/formats/formats.ts";
import { steeringReason } from "../../../core/plan/steering-keys.ts";
import { isPlainPath } from "../../../lib/plain-path.ts";
import type { BundleAsk } from "../../../protocol/agent/asks.ts";
import type { Bundle, PolicyRefusal } from "../../../protocol/agent/messages.ts";
import { probeSchema, urlsOf } from "../../../protocol/probe.ts";
import { checkUnit } from "./check-unit.ts";
import { BARE_FORMATS, isLocalUrl, type Policy, TOO_WIDE } from "./policy.ts";
import { lines, NEVER, refusal } from "./refusal.ts";

export interface PolicyRequest {
  readonly files: readonly {
    readonly path: string;
    readonly format: string;
    /** Octal text, of a new file. */
    readonly mode: string;
    readonly keys: readonly string[];
  }[];
  /** To restart or to signal. */
  readonly units: readonly SystemdName[];
  /** By name. */
  readonly commands: readonly string[];
  /** The command by which the files' change is brought to their program. */
  readonly restart?: { readonly command: string; readonly formats: readonly string[] };
  /** Keys for the program of `lockstep run`. */
  readonly environment: readonly string[];
  /** To be asked there, and files with use counts to be read. */
  readonly urls: readonly string[];
  readonly counts: readonly string[];
  /** Files whose value may be told to the server. */
  readonly authorities: readonly string[];
  /** Files to be searched for copies. */
  readonly copies: readonly string[];
}

export interface PolicyPlace {
  /** The user's home, absolute: what `~` means here. */
  readonly home: string;
  /** The policy's own file, absolute: nothing beside it is ever written. */
  readonly policyPath: string;
  /** Further directories of the agent's own, absolute: identity, cache. */
  readonly ownDirectories?: readonly string[];
  /** The agent runs as root. Left out: it does not. */
  readonly isRoot?: boolean;
}

export type PolicyVerdict =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly refusals: readonly PolicyRefusal[] };

/** In these formats keys are JSON paths or nothing at all, never variables of a process. */
const NOT_ENVIRONMENT = new Set(["json", "raw"]);

export function checkPolicy(policy: Policy, request: PolicyRequest, place: PolicyPlace): PolicyVerdict {
  const refusals = [
    ...request.files.flatMap((file) => checkFile(policy, file, place)),
    ...request.units.flatMap((unit) => checkUnit(policy, unit, place.isRoot === true)),
    ...request.commands.filter((name) => !Object.hasOwn(policy.commands, name)).map(refuseCommand),
    ...(request.restart === undefined ? [] : checkRestart(policy, request.restart)),
    ...request.environment.flatMap((key) => checkVariable(policy, key)),
    ...request.urls.filter((url) => !policy.probes.some((allowed) => coversUrl(allowed, url))).map(refuseUrl),
    ...request.counts.flatMap((path) => checkNamed("counts", policy, path, place)),
    ...request.authorities.flatMap((path) => checkNamed("authorities", policy, path, place)),
    ...request.copies.flatMap((path) => checkNamed("copies", policy, path, place)),
  ];
  const distinct = [
    ...new Map(refusals.map((one) => [`${one.what}\n${one.reason}\n${one.add}`, one])).values(),
  ];
  return distinct.length === 0 ? { allowed: true } : { allowed: false, refusals: distinct };
}

/** What applying this bundle needs; keys that go are looked at too, because their file is written. */
export function requestOf(
  bundle: Pick<Bundle, "files" | "activate" | "health" | "slots" | "pruned" | "asks" | "alsoCheck">,
): PolicyRequest {
  const { files, activate, health, slots, pruned, asks = [] } = bundle;
  const isAuthority = (id: string) =>
    asks.some(({ bindingId, authority }) => authority === true && bindingId === id);
  const touched = [...slots, ...pruned];
  return {
    files: files.map(({ path, format, mode }) => ({
      path,
      format,
      mode,
      keys: [...new Set(touched.filter(({ placement }) => placement === path).map(({ key }) => key))],
    })),
    units: [activate?.systemd, activate?.launchd, activate?.signal?.unit].filter(
      (unit) => unit !== undefined,
    ),
    commands: [activate?.command, health?.command].filter((name) => name !== undefined),
    ...(activate?.command === undefined
      ? {}
      : { restart: { command: activate.command, formats: files.map(({ format }) => format) } }),
    environment: touched.filter(({ placement }) => placement === "").map(({ key }) => key),
    urls: texts(asks.flatMap(({ probe, usage }) => [...urlsOfProbe(probe), usage?.["url"]])),
    counts: texts(asks.map(({ usage }) => usage?.["file"])),
    copies: bundle.alsoCheck ?? [],
    authorities: texts(
      slots
        .filter(
          ({ bindingId, slot, placement }) =>
            slot === "primary" && placement !== "" && isAuthority(bindingId),
        )
        .map(({ placement }) => placement),
    ),
  };
}

/** Of a question that this release does not understand, none: it is not asked either. */
function urlsOfProbe(probe: BundleAsk["probe"]): readonly string[] {
  const { data } = probeSchema.safeParse(probe);
  return data === undefined ? [] : urlsOf(data);
}

function texts(found: readonly unknown[]): readonly string[] {
  return [...new Set(found.filter((one) => typeof one === "string"))];
}

function checkFile(
  policy: Policy,
  { path, format, mode, keys }: PolicyRequest["files"][number],
  place: PolicyPlace,
): readonly PolicyRefusal[] {
  const what = `file ${path}`;
  if (!isPlainPath(path)) return [refusal(what, "the path is not a plain one", NEVER)];
  const absolute = expand(path, place.home);
  if (ownPlaces(place).some((own) => isWithin(absolute, own))) {
    return [refusal(what, "the agent's own files and the policy itself are not for bundles to write", NEVER)];
  }
  // All refusals at once: adding the file's line should not bring up the next one.
  const steering = NOT_ENVIRONMENT.has(format) ? [] : keys.flatMap((key) => checkSteering(policy, key));
  const opened = openedTo(mode);
  if (opened === "others") {
    return [
      refusal(
        what,
        `its mode ${mode} gives more than the owner reading and writing and a group reading`,
        NEVER,
      ),
    ];
  }
  const covering = policy.files
    .filter((allowed) => covers(expand(allowed.path, place.home), absolute))
    .map((allowed) => ({
      formats: ("formats" in allowed ? allowed.formats : undefined) ?? BARE_FORMATS,
      mode: ("mode" in allowed ? allowed.mode : undefined) ?? "0600",
    }));
  const fitting = covering.filter(({ formats }) => formats.includes(format));
  if (fitting.some((allowed) => opened === "owner" || allowed.mode === "0640")) return steering;
  const add = { path, formats: [format], ...(opened === "group" ? { mode: "0640" } : {}) };
  const named = [...new Set(covering.flatMap(({ formats }) => formats))].join(", ");
  const reason =
    covering.length === 0
      ? "the policy does not name it"
      : fitting.length === 0
        ? `the policy names it for the formats ${named} alone, not ${format}`
        : "the policy does not let a group read it";
  return [refusal(what, reason, lines({ files: [add] })), ...steering];
}

/**
 * The policy, what stands beside it, and what else is the agent's own. A policy that lies in a directory of everybody's,
 * such as the home itself, takes nothing but itself out of it.
 */
function ownPlaces({ home, policyPath, ownDirectories = [] }: PolicyPlace): readonly string[] {
  const beside = parentOf(policyPath);
  const isShared = isWithin(home, beside) || TOO_WIDE.has(beside) || TOO_WIDE.has(shorten(beside, home));
  return [isShared ? policyPath : beside, expand("~/.lockstep", home), ...ownDirectories];
}

/** To whom a mode opens a file other than its owner; `others`: to more than any policy may say. */
function openedTo(mode: string): "owner" | "group" | "others" {
  const bits = /^0?[0-7]{3}$/.test(mode) ? Number.parseInt(mode, 8) : 0o777;
  if ((bits & ~0o640) !== 0) return "others";
  return (bits & 0o040) === 0 ? "owner" : "group";
}

function shorten(path: string, home: string): string {
  return path.startsWith(`${home}/`) ? `~/${path.slice(home.length + 1)}` : path;
}

function checkVariable(policy: Policy, key: string): readonly PolicyRefusal[] {
  const { environment } = policy;
  const steering = checkSteering(policy, key);
  if (environment === true || (environment !== false && environment.includes(key))) return steering;
  const reason = "the policy does not let it into the program's environment";
  return [refusal(`variable ${key}`, reason, lines({ environment: [key] })), ...steering];
}

function checkSteering(policy: Policy, key: string): readonly PolicyRefusal[] {
  const steering = steeringReason(key);
  if (steering === null || policy.steeringKeys.includes(key)) return [];
  const reason = `it ${steering}, so it needs a word of its own`;
  return [refusal(`variable ${key}`, reason, lines({ steeringKeys: [key] }))];
}

function refuseCommand(name: string): PolicyRefusal {
  const add = `${lines({ commands: { [name]: ["/absolute/path/of/program"] } })}# What the name runs is for this machine's owner to say.\n`;
  return refusal(`command ${name}`, "the policy has no command of that name", add);
}

/** A restart that is known to leave the program with what it had would be told as if the program had the new value. */
function checkRestart(
  policy: Policy,
  { command, formats }: NonNullable<PolicyRequest["restart"]>,
): readonly PolicyRefusal[] {
  const words = Object.hasOwn(policy.commands, command) ? policy.commands[command] : undefined;
  if (words === undefined || policy.rereads?.includes(command) === true) return [];
  const kept = keepsOld(
    words,
    FORMAT_NAMES.filter((format) => formats.includes(format)).map((format) => ({ format })),
  );
  if (kept === null) return [];
  const reason = `\`${kept.what}\` leaves its program with the old value: ${kept.why}. Let the name run ${kept.instead}`;
  const add = `# Only where the program does read the files anew by this command:\n${lines({ rereads: [command] })}`;
  return [refusal(`command ${command}`, reason, add)];
}

function refuseUrl(url: string): PolicyRefusal {
  const reason = "the policy does not let a service be asked there";
  const href = URL.canParse(url) ? new URL(url).href : "";
  const isNameable = isLocalUrl(href) && !href.endsWith("/*");
  return refusal(`probe ${url}`, reason, isNameable ? lines({ probes: [href] }) : NEVER);
}

const NOT_NAMED = {
  counts: "the policy does not let this file be read",
  copies: "the policy does not let this file be searched for copies",
  authorities: "the policy does not let what stands there be told to the server",
};

function checkNamed(
  kind: "authorities" | "copies" | "counts",
  policy: Policy,
  path: string,
  { home }: PolicyPlace,
): readonly PolicyRefusal[] {
  const what = `${kind} ${path}`;
  if (!isPlainPath(path)) return [refusal(what, "the path is not a plain one", NEVER)];
  if (policy[kind].some((allowed) => expand(allowed, home) === expand(path, home))) return [];
  return [refusal(what, NOT_NAMED[kind], lines({ [kind]: [path] }))];
}

/** Parsed and written anew, so that `..` and other spellings of one URL are seen as what they mean. */
function coversUrl(allowed: string, url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { href } = new URL(url);
  return allowed.endsWith("/*") ? href.startsWith(allowed.slice(0, -1)) : href === allowed;
}

function covers(allowed: string, path: string): boolean {
  return allowed.endsWith("/*") ? parentOf(path) === allowed.slice(0, -2) : allowed === path;
}

/** Some file systems do not tell the cases of letters apart. */
function isWithin(path: string, directory: string): boolean {
  return `${path}/`.toLowerCase().startsWith(`${directory}/`.toLowerCase());
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

function expand(path: string, home: string): string {
  // The home of a container's root may be the root itself.
  return path.startsWith("~/") ? `${home.replace(/\/$/, "")}/${path.slice(2)}` : path;
}
