/** Addresses with credentials. What is wrong is told by its kind; no part of the text is. */

import { type AddressProblem, readAddress, type WrittenAddress } from "../lib/written-address.ts";
import { invalid } from "./env-variables.ts";

export interface AddressKind {
  readonly name: string;
  readonly schemes: readonly string[];
  readonly parameters: readonly string[];
  /** For remedies. */
  readonly example: string;
}

const ESCAPES = "Write % as %25, / as %2F, ? as %3F, # as %23, @ as %40, : as %3A and a space as %20.";

const WORDS: Readonly<Record<AddressProblem, readonly [state: string, remedy: string | null]>> = {
  quoted: [
    "stands in quotation marks",
    "Leave the quotation marks out: they are the shell's, not the value's.",
  ],
  keywords: ["is written as a list of keywords (host=… user=…)", null],
  scheme: ["is not an address of the right kind", null],
  control: [
    "holds a line break, a tab or another control character",
    "Write it on one line; in a password write a line break as %0A and a tab as %09.",
  ],
  ambiguous: [
    "may be read in two ways, because a special character stands in it as it is, most likely in the password",
    ESCAPES,
  ],
  "escape-mixed": [
    "holds a user or a password of which a part looks escaped (% and two digits) and a part is not",
    `Escape the whole of it. ${ESCAPES}`,
  ],
  "escape-text": [
    "holds a user or a password with a % and two digits that do not stand for a character in UTF-8",
    "Where the % belongs to the password itself, write it as %25.",
  ],
  hosts: [
    "names several hosts, and Lockstep connects to one",
    "Name the host that takes writes, or a name or proxy that always leads to it.",
  ],
  host: ["holds a host that cannot be read", null],
  port: ["holds a port that is no number from 1 to 65535", null],
  path: ["holds something behind the port that cannot be read", null],
  parameters: ["holds something behind ? that Lockstep does not know, or that stands there twice", null],
  fragment: ["holds a #", null],
};

/** Throws SETTING_INVALID. */
export function addressSetting(text: string, kind: AddressKind): WrittenAddress {
  const read = readAddress(text, { schemes: kind.schemes, parameters: new Set(kind.parameters) });
  if (read.ok) return read.address;
  const [state, remedy] = WORDS[read.problem];
  throw invalid(kind.name, state, remedy ?? usualRemedy(read.problem, kind));
}

function usualRemedy(problem: AddressProblem, { example, parameters }: AddressKind): string {
  const shape = `Write it as ${example}.`;
  if (problem === "keywords" || problem === "scheme") return shape;
  const known = `Behind ? may stand ${parameters.join(", ")}, each once, as name=value.`;
  return `${shape} ${ESCAPES}${problem === "parameters" ? ` ${known}` : ""}`;
}
