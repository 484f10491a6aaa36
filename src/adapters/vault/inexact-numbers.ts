/**
 * Which fields of a JSON object hold a number that does not come through: beyond 2^53, where the server itself may have
 * rounded it already, or with more digits than a double has. Parsed values do not show it, so the text is read. Pure.
 */

/** A double keeps fifteen digits; what has fewer, and no exponent, comes through. Most answers end here. */
const MAYBE_INEXACT = /\d[\d.]{15}|[:,[\s]-?\d[\d.]*[eE]/;

/** `path`: from the outermost object to the one whose keys are asked about. Empty where the path leads nowhere. */
export function inexactKeys(text: string, path: readonly string[]): readonly string[] {
  if (!MAYBE_INEXACT.test(text)) return [];
  const found = new Set<string>();
  const scanner = new Scanner(text, (at) => {
    if (at.length > path.length && path.every((name, index) => at[index] === name))
      found.add(at[path.length] ?? "");
  });
  scanner.value([]);
  return [...found];
}

/** The text is JSON already: what is no number is passed over. */
class Scanner {
  readonly #text: string;
  readonly #onInexact: (at: readonly string[]) => void;
  #index = 0;

  constructor(text: string, onInexact: (at: readonly string[]) => void) {
    this.#text = text;
    this.#onInexact = onInexact;
  }

  /** Without recursion: how deep it goes is the other side's choice. */
  value(root: readonly string[]): void {
    const at: string[] = [...root];
    const kinds: ("{" | "[")[] = [];
    let isKey = false;
    while (this.#index < this.#text.length) {
      const char = this.#text[this.#index] ?? "";
      if (char === '"') {
        const string = this.#string();
        if (isKey) at[at.length - 1] = string();
        isKey = false;
      } else if (char === "{" || char === "[") {
        kinds.push(char);
        at.push("");
        isKey = char === "{";
        this.#index += 1;
      } else if (char === "}" || char === "]") {
        kinds.pop();
        at.pop();
        isKey = false;
        this.#index += 1;
      } else if (char === ",") {
        isKey = kinds.at(-1) === "{";
        this.#index += 1;
      } else if (char === "-" || (char >= "0" && char <= "9")) {
        const [number = char] = /^[-+0-9.eE]+/.exec(this.#text.slice(this.#index, this.#index + 2_000)) ?? [];
        if (!isExact(number)) this.#onInexact(at);
        this.#index += number.length;
      } else {
        this.#index += 1;
      }
    }
  }

  #string(): () => string {
    const begin = this.#index;
    this.#index += 1;
    while (this.#index < this.#text.length && this.#text[this.#index] !== '"')
      this.#index += this.#text[this.#index] === "\\" ? 2 : 1;
    this.#index += 1;
    const written = this.#text.slice(begin, this.#index);
    return () => String(JSON.parse(written));
  }
}

function isExact(written: string): boolean {
  const value = Number(written);
  if (!Number.isFinite(value) || Math.abs(value) >= 2 ** 53) return false;
  return plainDigits(written) === plainDigits(String(value));
}

/** `-1.50e2` → `-15e1`: the same for every way of writing one number. */
function plainDigits(written: string): string {
  const [, sign = "", whole = "", part = "", power = "0"] =
    /^(-?)(\d*)(?:\.(\d*))?(?:[eE]([-+]?\d+))?$/.exec(written) ?? [];
  const digits = `${whole}${part}`.replace(/^0+/, "");
  const shortened = digits.replace(/0+$/, "");
  if (shortened === "") return "0";
  return `${sign}${shortened}e${Number(power) - part.length + digits.length - shortened.length}`;
}
