/** The table of formats: a further one is one line here, beside its file. */
import { dotenvFormat, dotenvFormatFor } from "./dotenv.ts";
import { DOTENV_READERS } from "./dotenv-readers.ts";
import { ENV_FILE_READERS, envFileFormat, envFileFormatFor } from "./env-file.ts";
import type { Format } from "./format.ts";
import { jsonFormat } from "./json.ts";
import { plistFormat } from "./plist.ts";
import { rawFormat } from "./raw.ts";
import { shellFormat } from "./shell.ts";
import { systemdFormat } from "./systemd.ts";

export const FORMAT_NAMES = ["dotenv", "env-file", "systemd", "shell", "json", "plist", "raw"] as const;
export type FormatName = (typeof FORMAT_NAMES)[number];

export const FORMATS: Readonly<Record<FormatName, Format>> = {
  dotenv: dotenvFormat,
  "env-file": envFileFormat,
  systemd: systemdFormat,
  shell: shellFormat,
  json: jsonFormat,
  plist: plistFormat,
  raw: rawFormat(),
};

/** Programs that a file's configuration may name, by whose reading values are then written and compared. */
export const READERS = [...DOTENV_READERS, ...ENV_FILE_READERS] as const;
export type ReaderName = (typeof READERS)[number];

/** A file's format with what else its configuration says. */
export interface FormatChoice {
  readonly format: FormatName;
  /** Of `dotenv` and `env-file`. */
  readonly reader?: ReaderName | undefined;
  /** Of `raw`. */
  readonly newline?: boolean | undefined;
}

export function formatFor({ format, reader, newline }: FormatChoice): Format {
  if (format === "raw") return rawFormat(newline);
  if (format === "dotenv" && isOneOf(DOTENV_READERS, reader)) return dotenvFormatFor(reader);
  if (format === "env-file" && isOneOf(ENV_FILE_READERS, reader)) return envFileFormatFor(reader);
  return FORMATS[format];
}

/** Null: the two go together. */
export function whyNotTogether({ format, reader, newline }: FormatChoice): string | null {
  if (newline !== undefined && format !== "raw") return "`newline` goes with the format raw alone";
  if (reader === undefined) return null;
  const readers = format === "dotenv" ? DOTENV_READERS : format === "env-file" ? ENV_FILE_READERS : [];
  if (isOneOf(readers, reader)) return null;
  return readers.length === 0
    ? "`reader` goes with the formats dotenv and env-file alone"
    : `\`reader\` must be one of ${readers.join(", ")} with the format ${format}`;
}

function isOneOf<Name extends ReaderName>(
  names: readonly Name[],
  reader: ReaderName | undefined,
): reader is Name {
  return (names as readonly ReaderName[]).includes(reader as ReaderName);
}
