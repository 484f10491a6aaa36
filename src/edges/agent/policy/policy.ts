/**
 * What the owner of a host lets Lockstep do there. A bundle comes from the server, and whoever holds the server could
 * put anything into it; this file is the host's own word, which no bundle can change.
 *
 * Promises: pure; what the file does not name is not allowed; commands have names, and what a name runs stands here
 * alone. Leaves to others: reading the file safely (`load-policy.ts`), judging requests (`check-policy.ts`).
 */
import { isScalar, LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import { launchdLabel } from "../../../adapters/placements/activation/config.ts";
import { unitName, userUnit } from "../../../adapters/placements/activation/systemd-name.ts";
import { FORMAT_NAMES } from "../../../adapters/placements/formats/formats.ts";
import { LockstepError } from "../../../core/errors.ts";
import { isLoopbackHost } from "../../../lib/addresses.ts";
import { isPlainPath } from "../../../lib/plain-path.ts";
import { visibleLine } from "../../../lib/visible-text.ts";

/** Directories of many programs and of the system: all of one is never what somebody means. */
export const TOO_WIDE: ReadonlySet<string> = new Set(
  `~ ~/.ssh ~/.config ~/.config/systemd/user / /bin /boot /dev /etc /etc/cron.d /etc/pam.d /etc/profile.d
  /etc/sudoers.d /etc/systemd/system /home /lib /opt /private/etc /root /sbin /usr /usr/bin /usr/local/bin /var
  /Library/LaunchDaemons /Users`.split(/\s+/),
);

const allowedPath = z
  .string()
  .max(1_024)
  .refine((path) => isPlainPath(path.replace(/\/\*$/, "/x")) && !/\*./.test(path), {
    message:
      "must be an absolute path or begin with ~/, and may end in /* for all files right in a directory",
  })
  .refine((path) => !path.endsWith("/*") || !TOO_WIDE.has(path.slice(0, -2) || "/"), {
    message:
      "would allow every file of a directory that belongs to the system or to all programs; name the file",
  });

const allowedFile = z.union([
  allowedPath.transform((path) => ({ path })),
  z.strictObject({
    path: allowedPath,
    /** Without them: those that hold variables and nothing else (`BARE_FORMATS`). */
    formats: z.array(z.enum(FORMAT_NAMES)).min(1).exactOptional(),
    /** How far a new file may be opened: 0600 unless told, 0640 at most. */
    mode: z.enum(["0600", "0640"], { error: 'must be "0600" or "0640", in quotes' }).exactOptional(),
  }),
]);

/** What a path alone allows: every key in them is judged. In the others whole programs and services can stand. */
export const BARE_FORMATS: readonly string[] = ["dotenv", "systemd"];

const allowedUrl = z.string().max(2_048).refine(isLocalUrl, {
  message: "must be a whole URL on loopback, for example http://127.0.0.1:8080/health, and may end in /*",
});

const argument = z
  .string()
  .max(4_096)
  .regex(/^\P{Cc}*$/u, "must be one line without control characters");
const argv = z
  .tuple([argument.regex(/^\//, "must begin with the program's absolute path")], argument)
  .refine((words) => words.length <= 64, "has too many words");
export const commandName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, "is not a command's name");
const key = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,254}$/, "is not a variable's name");

const policySchema = z.strictObject({
  files: z.array(allowedFile).default([]),
  /**
   * systemd units by their full names, launchd jobs by their labels: may be restarted and signalled. `{ unit, user: true }`:
   * of the user that the agent runs as.
   */
  units: z.array(z.union([unitName, launchdLabel, userUnit])).default([]),
  /** Name → words; no shell reads them. */
  commands: z.record(commandName, argv).default({}),
  /**
   * Commands that make their program read the files anew, as the owner knows, although their words say that they leave it
   * with its old environment. Others of that kind are refused.
   */
  rereads: z.array(commandName).exactOptional(),
  /** What `lockstep run` may put into its program's environment. */
  environment: z.union([z.boolean(), z.array(key)]).default(true),
  /**
   * What the agent may ask on this machine's own addresses, values included: whole URLs, or all below a path that ends
   * in /*. With ws:// it may tell a gateway there to read its secrets again.
   */
  probes: z.array(allowedUrl).default([]),
  /** Files in which services leave their use counts, to be read. */
  counts: z
    .array(z.string().max(1_024).refine(isPlainPath, "must be an absolute path or begin with ~/"))
    .default([]),
  /**
   * Files whose value may be told to the server, when the service of this machine accepts it and refuses the server's:
   * somebody changed it here.
   */
  authorities: z
    .array(z.string().max(1_024).refine(isPlainPath, "must be an absolute path or begin with ~/"))
    .default([]),
  /**
   * Files in which the agent may look for copies of what is kept here, beside the files above and the units that it may
   * restart. Which version stands in which line is told, and no value.
   */
  copies: z
    .array(z.string().max(1_024).refine(isPlainPath, "must be an absolute path or begin with ~/"))
    .default([]),
  /** Keys that steer loaders and interpreters (PATH, NODE_OPTIONS, LD_…), each by name. */
  steeringKeys: z.array(key).default([]),
});

export type Policy = Readonly<z.output<typeof policySchema>>;

/**
 * Where there is no file nothing is allowed, but for one thing: who starts `lockstep run -- CMD` on this machine has
 * chosen the program and the identity by that, and nothing but this program's environment changes. A container then
 * needs no policy of its own. Steering keys stay refused.
 */
export const NO_POLICY: Policy = policySchema.parse({});

/** Throws CONFIG_INVALID with the line. `name`: the file's, for messages. */
export function parsePolicy(text: string, name: string): Policy {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    maxAliasCount: 0,
    stringKeys: true,
  } as object);
  const [broken] = document.errors;
  if (broken !== undefined) throw invalid(name, lines.linePos(broken.pos[0]).line, "it is not valid YAML");
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: 0 });
  } catch {
    throw invalid(name, 1, "it uses YAML aliases, which a policy does not need");
  }
  const parsed = policySchema.safeParse(content ?? {});
  if (parsed.success) return parsed.data;
  const { path, what } = firstProblem(parsed.error.issues[0]);
  const node = document.getIn(path, true) ?? document.getIn(path.slice(0, -1), true);
  const range =
    isScalar(node) || typeof node === "object" ? (node as { range?: [number] | null } | null)?.range : null;
  throw invalid(
    name,
    range == null ? 1 : lines.linePos(range[0]).line,
    path.length === 0 ? what : `\`${visibleLine(path.join("."))}\` ${what}`,
  );
}

/** As an allowed URL must be written; with `/*` for all below. */
export function isLocalUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !["http:", "https:", "ws:"].includes(url.protocol) || !isLoopbackHost(url.hostname))
    return false;
  // As it is written is as it is compared.
  return (
    url.href === text && !/[*]/.test(text.replace(/\/\*$/, "/")) && url.username === "" && url.hash === ""
  );
}

function firstProblem(issue: z.core.$ZodIssue | undefined): { path: PropertyKey[]; what: string } {
  if (issue === undefined) return { path: [], what: "it is not valid" };
  if (issue.code === "unrecognized_keys") {
    return { path: issue.path, what: `does not know ${issue.keys.map(visibleLine).join(", ")}` };
  }
  if (issue.code === "invalid_union") {
    // Of the alternatives the one that came furthest says what was meant.
    const nested = issue.errors.flat().sort((left, right) => right.path.length - left.path.length);
    const better = nested.find(({ code }) => code !== "invalid_type") ?? nested[0];
    const inner = firstProblem(better);
    return { path: [...issue.path, ...inner.path], what: inner.what };
  }
  return {
    path: issue.path,
    what: issue.code === "invalid_type" ? `must be ${issue.expected}` : issue.message,
  };
}

function invalid(name: string, line: number, what: string): LockstepError {
  return new LockstepError("CONFIG_INVALID", `Cannot use the host's policy ${name}, line ${line}: ${what}.`, {
    hint: "Correct the policy at the named line; `lockstep agent policy` shows what is in force.",
  });
}
