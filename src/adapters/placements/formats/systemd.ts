/**
 * systemd's EnvironmentFile= (systemd.exec(5); the reader is src/basic/env-file.c). Values are double-quoted, where a
 * backslash escapes `"`, `\`, `` ` `` and `$`, and newlines stand for themselves.
 */
import {
  assertText,
  assertVariableName,
  type Format,
  keysOf,
  readAssignments,
  writeAssignments,
} from "./format.ts";
import { scanSystemd } from "./systemd-source.ts";

const NAME = "systemd";
const ESCAPED = /["\\`$]/g;

export const systemdFormat: Format = {
  name: NAME,
  assertKey: (key) => assertVariableName(NAME, key),
  assertValue(key, value) {
    render(key, value);
  },
  read: (text, keys) => readAssignments(scanSystemd(text), keys),
  keys: (text) => keysOf(scanSystemd(text)),
  assignments: (text) => scanSystemd(text).assignments,
  write: (text, changes) => writeAssignments(text, scanSystemd(text ?? ""), changes, render),
};

function render(key: string, value: string): string {
  // systemd drops assignments whose value holds other control characters (env_value_is_valid).
  assertText(NAME, key, value, "\t\n");
  return `${key}="${value.replaceAll(ESCAPED, "\\$&")}"`;
}
