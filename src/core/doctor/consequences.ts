/**
 * Who is refused because one place holds something else: derived from the roles. A caller sends what it holds, a
 * verifier accepts what it holds and what stands beside it; where both are known and differ, every call between them is
 * refused. Where one is not known, nothing is claimed: also not about a value that stands beside, whether or not the
 * verifier's process has it already. Pure.
 */
import { winnerOf } from "../copies/winner.ts";
import type { BindingFacts } from "./facts.ts";

type Holding =
  | { readonly kind: "version"; readonly version: number }
  /** Its process still runs with a value from before this version. */
  | { readonly kind: "before"; readonly version: number }
  | { readonly kind: "foreign" }
  | { readonly kind: "nothing" }
  | { readonly kind: "not-known" };

export function consequencesOf(binding: BindingFacts, all: readonly BindingFacts[]): readonly string[] {
  const others = all.filter(({ target }) => target !== binding.target);
  const refusing = others.filter((other) => sends(binding) && accepts(other) && isRefused(binding, other));
  const refused = others.filter((other) => accepts(binding) && sends(other) && isRefused(other, binding));
  return [
    ...groups(refusing).map((group) => asCaller(binding, group)),
    ...groups(refused).map((group) => asVerifier(binding, group)),
  ];
}

function isRefused(caller: BindingFacts, verifier: BindingFacts): boolean {
  const sent = holdingOf(caller);
  const isBeside = sent.kind === "version" && sent.version === verifier.fallback;
  return !isBeside && surelyDiffer(sent, holdingOf(verifier));
}

function sends({ role }: BindingFacts): boolean {
  return role !== "verifier";
}

function accepts({ role }: BindingFacts): boolean {
  return role !== "caller";
}

function holdingOf(binding: BindingFacts): Holding {
  if (binding.unit !== null && binding.settled !== null) return { kind: "before", version: binding.settled };
  switch (binding.state) {
    case "unreadable":
    case "leftover":
      return { kind: "not-known" };
    case "shadowed":
      return overruledBy(binding);
    case "missing":
      return { kind: "nothing" };
    case "foreign":
      return { kind: "foreign" };
    default:
      if (binding.lacking !== null && binding.version === binding.settled) return { kind: "not-known" };
      if (binding.found === "unknown") return { kind: "foreign" };
      if (binding.found === "absent") return { kind: "nothing" };
      return binding.version === null ? { kind: "not-known" } : { kind: "version", version: binding.version };
  }
}

/** What wins is given to the process at its next start; that it runs with the kept value may have been seen. */
function overruledBy(binding: BindingFacts): Holding {
  const winner = winnerOf(binding.copies);
  if (winner === null || binding.evidence === "running" || binding.evidence === "proven")
    return { kind: "not-known" };
  return winner.version === null ? { kind: "foreign" } : { kind: "version", version: winner.version };
}

function surelyDiffer(left: Holding, right: Holding): boolean {
  if (left.kind === "not-known" || right.kind === "not-known") return false;
  // A version is ours and a foreign value is not; an older value differs from the version that it is older than.
  if (left.kind === "version" && right.kind === "version") return left.version !== right.version;
  if (left.kind === "before" && right.kind === "version") return left.version === right.version;
  if (left.kind === "version" && right.kind === "before") return left.version === right.version;
  // Two foreign values, or two older ones, may be the same.
  return left.kind !== right.kind && left.kind !== "before" && right.kind !== "before";
}

interface Group {
  readonly holding: Holding;
  readonly names: readonly string[];
}

/** Those that hold the same are told in one sentence. */
function groups(bindings: readonly BindingFacts[]): readonly Group[] {
  const found: { readonly holding: Holding; readonly names: Set<string> }[] = [];
  for (const binding of bindings) {
    const holding = holdingOf(binding);
    const known = found.find((group) => valueText(group.holding) === valueText(holding));
    if (known === undefined) found.push({ holding, names: new Set([binding.target]) });
    else known.names.add(binding.target);
  }
  return found.map(({ holding, names }) => ({ holding, names: [...names] }));
}

function asCaller(binding: BindingFacts, { holding, names }: Group): string {
  const [they, accept] = names.length === 1 ? [names[0] ?? "", "accepts"] : ["they", "accept"];
  return `Calls from ${binding.target} to ${listText(names)} are refused (401 or 403): ${binding.target} sends ${valueText(holdingOf(binding))}, ${they} ${accept} ${valueText(holding)}.`;
}

function asVerifier(binding: BindingFacts, { holding, names }: Group): string {
  const [they, send] = names.length === 1 ? [names[0] ?? "", "sends"] : ["they", "send"];
  return `Calls from ${listText(names)} to ${binding.target} are refused (401 or 403): ${they} ${send} ${valueText(holding)}, ${binding.target} accepts ${valueText(holdingOf(binding))}.`;
}

function valueText(holding: Holding): string {
  switch (holding.kind) {
    case "version":
      return `v${holding.version}`;
    case "before":
      return `the value from before v${holding.version}`;
    case "foreign":
      return "a value that Lockstep does not know";
    case "nothing":
      return "nothing";
    case "not-known":
      return "what nobody could read";
  }
}

/** `a`, `a and b`, `a, b and c`. */
export function listText(names: readonly string[]): string {
  const last = names.at(-1) ?? "";
  return names.length < 2 ? last : `${names.slice(0, -1).join(", ")} and ${last}`;
}
