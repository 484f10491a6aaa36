/** What is said of where a value is, and of one that is not there as it was put. */
import type { StoredValue, ValueStore, ValueTrouble } from "./ports/value-store.ts";

const TEXTS: Readonly<Record<ValueTrouble, string>> = {
  changed: "its value in Vault was changed by somebody else",
  deleted: "its value in Vault was deleted by somebody else, and can be restored there",
  destroyed: "its value in Vault was destroyed by somebody else",
  absent: "its value is not in Vault any more",
};

/** As it stands in audit entries. */
export function storeNameOf({ kind }: StoredValue): ValueStore["name"] {
  return kind === "sealed" ? "postgres" : "vault";
}

/** Completes "… of X: ". */
export function valueTroubleText(trouble: ValueTrouble): string {
  return TEXTS[trouble];
}

/** A person decides: nothing is written over what stands there, and places keep what they have. */
export function valueHint(secret: string, trouble: ValueTrouble): string {
  const anew = `set the secret again: \`lockstep secret set ${secret}\``;
  if (trouble === "deleted") return `Restore version 1 of it there (\`vault kv undelete\`), or ${anew}.`;
  if (trouble === "changed")
    return `If the value there is the right one, ${anew}; otherwise restore the old one there from a backup.`;
  return `Restore it there from a backup, or ${anew}.`;
}
