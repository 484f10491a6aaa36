/**
 * A file that is nothing but the value. One newline at the file's end belongs to the file, not to the value, because
 * editors and `echo` leave one: it is kept where it stands, and never added.
 */
import { type Format, keyInvalid, notRepresentable } from "./format.ts";

const NAME = "raw";

export const rawFormat: Format = {
  name: NAME,
  assertKey(key) {
    if (key === "") throw keyInvalid(NAME, key, "it is empty");
  },
  assertValue(key, value) {
    if (value === "" || value.endsWith("\n")) {
      throw notRepresentable(
        NAME,
        key,
        "an empty value, or a newline at its end, cannot be told from the file's own",
      );
    }
    if (Buffer.from(value).toString() !== value) throw notRepresentable(NAME, key, "it is not valid Unicode");
  },
  read(text, keys) {
    const value = text.endsWith("\n") ? text.slice(0, -1) : text;
    return value === "" ? new Map() : new Map(keys.map((key) => [key, value]));
  },
  write(text, changes) {
    const [value] = changes.values();
    if (value === undefined) return text ?? "";
    if (value === null) return "";
    return text?.endsWith("\n") === true ? `${value}\n` : value;
  },
};
