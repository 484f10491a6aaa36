/** What a refusal consists of. Pure. */
import { stringify } from "yaml";
import { visibleLine } from "../../../lib/visible-text.ts";
import type { PolicyRefusal } from "../../../protocol/agent/messages.ts";

export const NEVER = "Nothing can allow this.";
const MAX_ADD = 1_000;

/** Of a policy's file. */
export function lines(part: object): string {
  return stringify(part, { lineWidth: 0, flowCollectionPadding: false });
}

/** A bundle's words reach a terminal: within bounds, and visible. */
export function refusal(what: string, reason: string, add: string): PolicyRefusal {
  return {
    what: visibleLine(what).slice(0, 200),
    reason: visibleLine(reason).slice(0, 500),
    add:
      add.length <= MAX_ADD
        ? add
        : "The line would be too long to print; name the path as the configuration does.",
  };
}
