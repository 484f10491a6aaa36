/** The table of formats: a further one is one line here, beside its file. */
import { dotenvFormat } from "./dotenv.ts";
import type { Format } from "./format.ts";
import { jsonFormat } from "./json.ts";
import { plistFormat } from "./plist.ts";
import { rawFormat } from "./raw.ts";
import { shellFormat } from "./shell.ts";
import { systemdFormat } from "./systemd.ts";

export const FORMAT_NAMES = ["dotenv", "systemd", "shell", "json", "plist", "raw"] as const;
export type FormatName = (typeof FORMAT_NAMES)[number];

export const FORMATS: Readonly<Record<FormatName, Format>> = {
  dotenv: dotenvFormat,
  systemd: systemdFormat,
  shell: shellFormat,
  json: jsonFormat,
  plist: plistFormat,
  raw: rawFormat,
};
