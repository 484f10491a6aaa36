/** What `lockstep agent policy` shows, and the first policy of a host. Pure texts; no text of a bundle is trusted. */
import { parse, stringify } from "yaml";
import { visibleText } from "../../../lib/visible-text.ts";
import type { PolicyRefusal } from "../../../protocol/agent/messages.ts";
import type { PolicyRequest } from "./check-policy.ts";
import type { LoadedPolicy } from "./load-policy.ts";

/** The file as it is, then what was refused and, merged, the lines that would allow it. */
export function explainPolicy({ path, text }: LoadedPolicy, refusals: readonly PolicyRefusal[]): string {
  const parts = [
    text === null
      ? `${path} does not exist: no file, unit or command is allowed. \`lockstep run\` may fill its own program's environment.`
      : `# ${path}\n${text.trimEnd()}`,
  ];
  if (refusals.length > 0) {
    parts.push(
      ["Refused:", ...refusals.map(({ what, reason }) => `  ${what}: ${reason}.`)].join("\n"),
      `To allow what you want of it, add to ${path}:\n\n${mergedAdditions(refusals).trimEnd()}`,
    );
  }
  return `${visibleText(parts.join("\n\n"))}\n`;
}

/** The refusals' lines as one YAML text: lists and maps of one name become one. */
export function mergedAdditions(refusals: readonly PolicyRefusal[]): string {
  const merged: Record<string, unknown> = {};
  const remarks = new Set<string>();
  for (const { add } of refusals) {
    const part = parsed(add);
    if (part === null) {
      remarks.add(`# ${add}`);
      continue;
    }
    for (const line of add.split("\n")) if (line.startsWith("#")) remarks.add(line);
    for (const [name, value] of Object.entries(part)) merged[name] = merge(merged[name], value);
  }
  const body = Object.keys(merged).length === 0 ? "" : stringify(merged, { lineWidth: 0 });
  return [...remarks].map((line) => `${line}\n`).join("") + body;
}

/** What the target needs, as the person at the host would write it; to be shown and asked for before it is written. */
export function draftPolicy({
  files,
  units,
  commands,
  urls,
  counts,
  authorities,
  copies,
}: PolicyRequest): string {
  const head = [
    "# What Lockstep may do on this machine. Its server cannot change this file; anything not named is refused and",
    "# reported. `lockstep agent policy` shows it, with the lines that a refused wish would need.",
    "#",
    "#   files:        paths, or a directory's own files as /etc/app/*; a path alone is for dotenv and systemd, others as",
    '#                 { path: /etc/app/x, formats: [raw] }; with mode: "0640" its group may read it',
    "#   units:        systemd units and launchd labels that may be restarted or signalled; a unit of the agent's own user",
    "#                 as { unit: app.service, user: true }",
    "#   commands:     name: [/absolute/program, argument]; a bundle can say the name and nothing else",
    "#   rereads:      names of commands that make their program read the files anew, although they only reload or restart it",
    "#                 with the environment that it had; others of that kind are refused",
    "#   probes:       URLs on loopback that may be asked, with values, or a path and all below it as http://127.0.0.1:8080/*",
    "#   counts:       files in which services leave their use counts, to be read",
    "#   authorities:  files whose value may be told to the server once the service here accepts it and refuses the server's",
    "#   copies:       files that may be searched for further copies of what is kept here; versions are told, no value",
    "#   environment:  true, false or a list of keys: what `lockstep run` may give its program",
    "#   steeringKeys: keys such as PATH, NODE_OPTIONS or HTTPS_PROXY that steer programs, each by name",
  ];
  const body = stringify(
    {
      files: files.map(({ path, format, mode }) => ({
        path,
        formats: [format],
        ...(mode.endsWith("640") ? { mode: "0640" } : {}),
      })),
      units,
      ...(urls.length === 0 ? {} : { probes: urls }),
      ...(counts.length === 0 ? {} : { counts }),
      ...(authorities.length === 0 ? {} : { authorities }),
      ...(copies.length === 0 ? {} : { copies }),
    },
    { lineWidth: 0 },
  );
  const wanted = commands.map((name) => `#   ${name}: [/absolute/path/of/program]\n`).join("");
  const commandPart =
    wanted === "" ? "commands: {}\n" : `# The target names these; say what they run:\n# commands:\n${wanted}`;
  return visibleText(`${head.join("\n")}\n${body}${commandPart}environment: true\n`);
}

function parsed(add: string): Record<string, unknown> | null {
  try {
    const value: unknown = parse(add, { maxAliasCount: 0 });
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : null;
  } catch {
    return null;
  }
}

function merge(left: unknown, right: unknown): unknown {
  if (Array.isArray(left) && Array.isArray(right)) {
    const known = new Set(left.map((item) => JSON.stringify(item)));
    return [...left, ...right.filter((item) => !known.has(JSON.stringify(item)))];
  }
  if (typeof left === "object" && left !== null && typeof right === "object" && right !== null) {
    return { ...left, ...right };
  }
  return right;
}
