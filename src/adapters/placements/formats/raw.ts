/**
 * A file that is nothing but the value. Whether a newline at the file's end is the file's or the value's, the bytes do
 * not say, so `newline` in the configuration does:
 *
 *   left out  the value is written as it is; a newline that stands at the file's end already stays (editors and `echo`
 *             leave one), and a PEM text gets the one that its form ends with. Read back, both are the value.
 *   true      exactly one newline follows the value, which has none; exactly that one is taken off.
 *   false     the file is the value, to the byte.
 */
import { isOpenSshKey, isPem } from "../../../lib/pem-text.ts";
import { type Format, keyInvalid, notRepresentable } from "./format.ts";

const NAME = "raw";
const LACKS_NEWLINE = "it stands there without the newline at its end";

export function rawFormat(newline?: boolean): Format {
  return {
    name: NAME,
    assertKey(key) {
      if (key === "") throw keyInvalid(NAME, key, "it is empty");
    },
    assertValue(key, value) {
      const why = whyNot(value, newline);
      if (why !== null) throw notRepresentable(NAME, key, why);
    },
    read(text, keys) {
      const value = readings(text, newline)[0];
      return value === "" ? new Map() : new Map(keys.map((key) => [key, value]));
    },
    alsoReads(text) {
      return readings(text, newline)[1] ?? null;
    },
    unclear(text) {
      if (text === "" || text.endsWith("\n")) return null;
      if (newline === true) return `${LACKS_NEWLINE} that the configuration promises`;
      // With `newline: false` such a value is refused before it is written.
      return isOpenSshKey(text) ? `${LACKS_NEWLINE}, and OpenSSH cannot load such a key` : null;
    },
    write(text, changes) {
      const [value] = changes.values();
      if (value === undefined) return text ?? "";
      if (value === null) return "";
      return `${value}${isNewlineAdded(text, value, newline) ? "\n" : ""}`;
    },
  };
}

function whyNot(value: string, newline: boolean | undefined): string | null {
  if (value === "") return "an empty value cannot be told from none";
  if (Buffer.from(value).toString() !== value) return "it is not valid Unicode";
  if (newline === undefined && value === "\n") return "a newline alone cannot be told from none";
  if (newline === true && value.endsWith("\n"))
    return "it ends with a newline of its own, and `newline: true` adds one; leave that out, or say `newline: false`";
  if (!isOpenSshKey(value)) return null;
  if (value.includes("\r"))
    return "it is an OpenSSH private key with Windows line ends, which OpenSSH cannot load; set it again without them";
  if (newline === false && !value.endsWith("\n"))
    return "it is an OpenSSH private key without its last newline, which OpenSSH cannot load; leave `newline: false` out";
  return null;
}

/** The likelier first. */
function readings(text: string, newline: boolean | undefined): readonly [string, string?] {
  if (newline === false || !text.endsWith("\n")) return [text];
  const without = text.slice(0, -1);
  if (newline === true || without === "") return [without];
  return isPem(text) ? [text, without] : [without, text];
}

function isNewlineAdded(text: string | null, value: string, newline: boolean | undefined): boolean {
  if (newline !== undefined) return newline;
  return !value.endsWith("\n") && (isPem(value) || isOpenSshKey(value) || text?.endsWith("\n") === true);
}
