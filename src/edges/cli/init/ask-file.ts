/** Where on a host the secret stands, and what restarts afterwards. */
import type { FileAnswers } from "./answers.ts";
import type { Asker } from "./asker.ts";

export interface FileOptions {
  readonly file?: string | undefined;
  readonly format?: string | undefined;
  readonly unit?: string | undefined;
}

export interface FileQuestions {
  /** Options are `--<prefix>-file`, `--<prefix>-format`, `--<prefix>-unit`. */
  readonly prefix: "ssh" | "agent";
  readonly where: string;
  /** Whether macOS may be there. */
  readonly launchd: boolean;
}

/** What most hosts need; the server knows whether its release has more. */
const FORMATS = [
  { value: "dotenv", label: 'dotenv: KEY="value", as applications read it' },
  { value: "env-file", label: "env-file: KEY=value for `docker run --env-file`, podman or kubectl" },
  { value: "systemd", label: "systemd: for EnvironmentFile= of a unit" },
  { value: "json", label: "json: a key of a JSON file" },
  { value: "shell", label: "shell: export lines for a POSIX shell to source" },
  { value: "plist", label: "plist: a launchd job's EnvironmentVariables" },
  { value: "raw", label: "raw: the file holds the value alone" },
];

const SYSTEMD_UNIT = /^[A-Za-z0-9][A-Za-z0-9:_.@-]*\.(?:service|socket|target|timer)$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9:_.@-]{0,250}$/;

export async function askFile(
  asker: Asker,
  options: FileOptions,
  { prefix, where, launchd }: FileQuestions,
): Promise<FileAnswers> {
  const path = await asker.text({
    option: `--${prefix}-file`,
    text: `File on ${where} that holds it (for example /etc/app/env or ~/app/.env)`,
    given: options.file,
    check: checkPath,
  });
  const format = await askFormat(asker, { option: `--${prefix}-format`, given: options.format, path });
  const unit = await asker.text({
    option: `--${prefix}-unit`,
    text: launchd
      ? "What to restart afterwards: a systemd unit (app.service) or launchd job (com.example.app); empty: nothing"
      : "systemd unit that restarts afterwards (app.service); empty: nothing",
    given: options.unit,
    fallback: "",
    check: (text) => (text === "" || NAME.test(text) ? null : "That is not a unit's name."),
  });
  return { path, format, unit: unit === "" ? null : unitOf(unit, launchd) };
}

async function askFormat(
  asker: Asker,
  {
    option,
    given,
    path,
  }: { readonly option: string; readonly given: string | undefined; readonly path: string },
): Promise<string> {
  const question = { option, text: "Its format", given, fallback: guessFormat(path) };
  // A script may name a format that only its server knows; the plan says so when it does not.
  if (given !== undefined) {
    return asker.text({
      ...question,
      check: (text) => (/^[a-z][a-z0-9-]{0,31}$/.test(text) ? null : "That is not a format's name."),
    });
  }
  return asker.choice(question, FORMATS);
}

function guessFormat(path: string): string {
  if (path.endsWith(".json")) return "json";
  if (path.endsWith(".plist")) return "plist";
  if (path.endsWith(".sh")) return "shell";
  return path.startsWith("/etc/") && !path.endsWith(".env") ? "systemd" : "dotenv";
}

function checkPath(path: string): string | null {
  if (!/^(?:~\/|\/)[^\p{Cc}\p{Cf}]+$/u.test(path) || path.length > 1024)
    return "It must be an absolute path, or begin with ~/.";
  const parts = path.replace(/^~/, "").split("/").slice(1);
  return parts.some((part) => part === "" || part === "." || part === "..")
    ? "It must be the plain path of a file: without `.`, `..`, double or trailing slashes."
    : null;
}

function unitOf(name: string, launchd: boolean): FileAnswers["unit"] {
  if (SYSTEMD_UNIT.test(name)) return { manager: "systemd", name };
  return launchd ? { manager: "launchd", name } : { manager: "systemd", name: `${name}.service` };
}
