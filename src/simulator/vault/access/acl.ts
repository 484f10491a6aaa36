/** What a token may do: rules of all its policies together, and the most specific path alone decides. */
import type { Operation } from "../wire/request.ts";
import type { Capability, Rule } from "./hcl.ts";

const NONE: ReadonlySet<Capability> = new Set();
const NEEDS: Readonly<Record<Exclude<Operation, "head">, Capability>> = {
  read: "read",
  list: "list",
  create: "create",
  update: "update",
  patch: "patch",
  delete: "delete",
};

interface Wildcard {
  readonly path: string;
  readonly isPrefix: boolean;
  readonly firstWildcard: number;
  readonly wildcards: number;
  readonly capabilities: ReadonlySet<Capability>;
}

export class Acl {
  readonly #exact = new Map<string, Set<Capability>>();
  readonly #prefix = new Map<string, Set<Capability>>();
  readonly #wildcard = new Map<string, Set<Capability>>();
  readonly #slashFirst: boolean;

  /** `slashFirst`: whether a LIST is looked up with its slash first, as OpenBao does. */
  constructor(rules: readonly Rule[], slashFirst: boolean) {
    this.#slashFirst = slashFirst;
    for (const { path, capabilities } of rules) {
      const isWildcard = path === "+" || path.includes("/+") || path.startsWith("+/");
      if (isWildcard) merge(this.#wildcard, path, capabilities);
      else if (path.endsWith("*")) merge(this.#prefix, path.slice(0, -1), capabilities);
      else merge(this.#exact, path, capabilities);
    }
  }

  allows(operation: Operation, path: string): boolean {
    if (operation === "head") return false;
    // Where "deny" stands, nothing else does.
    return this.capabilities(path, operation === "list").has(NEEDS[operation]);
  }

  /** `asList`: looked up as LIST is. */
  capabilities(path: string, asList: boolean): ReadonlySet<Capability> {
    const exact = this.#exact.get(path);
    if (exact !== undefined) return exact;
    if (!asList) return this.#inexact(path) ?? NONE;
    const bare = path.replace(/\/$/, "");
    const exactBare = this.#exact.get(bare);
    if (exactBare !== undefined) return exactBare;
    const order = this.#slashFirst ? [path, bare] : [bare, path];
    for (const one of order) {
      const found = this.#inexact(one);
      if (found !== null) return found;
    }
    return NONE;
  }

  /** Any right on or below a mount. */
  reaches(mount: string): boolean {
    const grants = (capabilities: ReadonlySet<Capability>) =>
      capabilities.size > 0 && !capabilities.has("deny");
    for (const rules of [this.#exact, this.#prefix])
      for (const [path, capabilities] of rules)
        if (
          grants(capabilities) &&
          (path.startsWith(mount) || (rules === this.#prefix && mount.startsWith(path)))
        )
          return true;
    for (const [path, capabilities] of this.#wildcard)
      if (grants(capabilities) && reachesThroughWildcard(path, mount)) return true;
    return false;
  }

  #inexact(path: string): ReadonlySet<Capability> | null {
    const found: Wildcard[] = [];
    let longest: string | null = null;
    for (const prefix of this.#prefix.keys())
      if (path.startsWith(prefix) && prefix.length >= (longest?.length ?? 0)) longest = prefix;
    if (longest !== null)
      found.push({
        path: longest,
        isPrefix: true,
        firstWildcard: longest.length,
        wildcards: 0,
        capabilities: this.#prefix.get(longest) ?? NONE,
      });
    for (const [rule, capabilities] of this.#wildcard) {
      const match = matchWildcard(rule, path);
      if (match !== null) found.push({ ...match, capabilities });
    }
    found.sort(byPriority);
    return found.at(-1)?.capabilities ?? null;
  }
}

function merge(
  rules: Map<string, Set<Capability>>,
  path: string,
  capabilities: ReadonlySet<Capability>,
): void {
  const before = rules.get(path) ?? new Set();
  const both = new Set([...before, ...capabilities]);
  rules.set(path, both.has("deny") ? new Set(["deny"]) : both);
}

function matchWildcard(rule: string, path: string): Omit<Wildcard, "capabilities"> | null {
  const isPrefix = rule.endsWith("*");
  const bare = isPrefix ? rule.slice(0, -1) : rule;
  const wanted = bare.split("/");
  const given = path.split("/");
  if (given.length < wanted.length || (!isPrefix && given.length !== wanted.length)) return null;
  let wildcards = 0;
  for (const [index, segment] of wanted.entries()) {
    const here = given[index] ?? "";
    if (segment === "+") wildcards += 1;
    else if (segment !== here && !(isPrefix && index === wanted.length - 1 && here.startsWith(segment)))
      return null;
  }
  return { path: bare, isPrefix, firstWildcard: rule.indexOf("+"), wildcards };
}

/** Lower priority first. */
function byPriority(a: Wildcard, b: Wildcard): number {
  return (
    a.firstWildcard - b.firstWildcard ||
    Number(b.isPrefix) - Number(a.isPrefix) ||
    b.wildcards - a.wildcards ||
    a.path.length - b.path.length ||
    (a.path < b.path ? -1 : 1)
  );
}

function reachesThroughWildcard(rule: string, mount: string): boolean {
  const segments = rule.replace(/\*$/, "").split("/");
  const wanted = mount.replace(/\/$/, "").split("/");
  return wanted.every((segment, index) => segments[index] === "+" || segments[index] === segment);
}
