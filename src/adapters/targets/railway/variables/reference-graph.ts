/**
 * Who takes a variable from whom in one environment, over any number of steps: a service that refers to another one's
 * variable keeps the old value until its own next deployment. Pure.
 */
import { mapReferences, type Reference, referenceOf, referencesIn } from "./references.ts";

/** A service's id, or null: the shared scope. */
export type ScopeId = string | null;

export interface ReferenceGraph {
  /** By service id: names at Railway now. */
  readonly names: ReadonlyMap<string, string>;
  /** As written. A sealed one, and one that is not shown, is null. */
  readonly texts: ReadonlyMap<ScopeId, ReadonlyMap<string, string | null>>;
  /** Railway's own word, also on variables whose text is not shown. */
  readonly listed: readonly {
    readonly serviceId: ScopeId;
    readonly name: string;
    readonly references: readonly string[];
  }[];
}

interface Source {
  readonly scope: ScopeId;
  readonly key: string;
}

/** By service: its variables into which one of the sources comes. The sources' own scope is left out. */
export function usersOf(
  graph: ReferenceGraph,
  scope: ScopeId,
  keys: ReadonlySet<string>,
): ReadonlyMap<string, ReadonlySet<string>> {
  const users = new Map<string, Set<string>>();
  for (const { scope: owner, key } of dependents(graph, scope, keys)) {
    if (owner === null || owner === scope) continue;
    const names = users.get(owner) ?? new Set();
    users.set(owner, names.add(key));
  }
  return users;
}

/**
 * What a service's variable should be worth with this value of the source, as texts around what is not known here: other
 * variables may have been others when a deployment started. Null: nothing of its text can be seen.
 */
export function patternOf(
  graph: ReferenceGraph,
  at: { readonly service: string; readonly name: string },
  source: Source,
  value: string,
): readonly string[] | null {
  const through = new Set(
    dependents(graph, source.scope, new Set([source.key])).map((one) => idOf(one.scope, one.key)),
  );
  const text = graph.texts.get(at.service)?.get(at.name);
  if (text == null) return null;
  const byName = scopesByName(graph);
  const render = (scope: ScopeId, from: string, trail: readonly string[]): string =>
    mapReferences(from, (reference) => {
      const [owner] = reference === null ? [] : ownersOf(reference, scope, byName);
      if (reference === null || owner === undefined) return UNKNOWN;
      const id = idOf(owner, reference.name);
      if (id === idOf(source.scope, source.key)) return value;
      const next = graph.texts.get(owner)?.get(reference.name);
      if (next == null || !through.has(id) || trail.includes(id)) return UNKNOWN;
      return render(owner, next, [...trail, id]);
    });
  return render(at.service, text, [idOf(at.service, at.name)]).split(UNKNOWN);
}

/** Of one step, where no other text is known. */
export function patternOfDirect(
  text: string,
  isSource: (reference: Reference) => boolean,
  value: string,
): readonly string[] | null {
  if (!referencesIn(text).some(isSource)) return null;
  return mapReferences(text, (one) => (one !== null && isSource(one) ? value : UNKNOWN)).split(UNKNOWN);
}

/** No variable holds it. */
const UNKNOWN = "\0";

/** Whether a text has the parts in their order, from its begin to its end. */
export function fits(text: string, parts: readonly string[]): boolean {
  const [first = "", ...rest] = parts;
  const last = rest.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

/** Every variable into which one of the sources comes; circles end. */
function dependents(
  graph: ReferenceGraph,
  scope: ScopeId,
  keys: ReadonlySet<string>,
): readonly { readonly scope: ScopeId; readonly key: string }[] {
  const takers = takersOf(graph);
  const found = new Map<string, { readonly scope: ScopeId; readonly key: string }>();
  const open = [...keys].map((key) => idOf(scope, key));
  const seen = new Set(open);
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    for (const taker of takers.get(id) ?? []) {
      const next = idOf(taker.scope, taker.key);
      if (seen.has(next)) continue;
      seen.add(next);
      found.set(next, taker);
      open.push(next);
    }
  }
  return [...found.values()];
}

type Takers = Map<string, { readonly scope: ScopeId; readonly key: string }[]>;

/** By variable: those that refer to it. */
function takersOf(graph: ReferenceGraph): Takers {
  const byName = scopesByName(graph);
  const takers: Takers = new Map();
  const add = (scope: ScopeId, key: string, reference: Reference): void => {
    for (const owner of ownersOf(reference, scope, byName)) {
      const id = idOf(owner, reference.name);
      takers.set(id, [...(takers.get(id) ?? []), { scope, key }]);
    }
  };
  for (const [scope, variables] of graph.texts) {
    for (const [key, text] of variables)
      for (const reference of referencesIn(text ?? "")) add(scope, key, reference);
  }
  for (const { serviceId, name, references } of graph.listed) {
    for (const told of references) {
      const reference = referenceOf(told);
      if (reference !== null) add(serviceId, name, reference);
    }
  }
  return takers;
}

function scopesByName({ names }: ReferenceGraph): ReadonlyMap<string, readonly string[]> {
  const byName = new Map<string, string[]>();
  for (const [id, name] of names)
    for (const word of [name, id]) byName.set(word, [...(byName.get(word) ?? []), id]);
  return byName;
}

/** A shared variable has no service to stand on: it takes from the shared scope alone. */
function ownersOf(
  { owner }: Reference,
  scope: ScopeId,
  byName: ReadonlyMap<string, readonly string[]>,
): readonly ScopeId[] {
  if (owner === "shared") return [null];
  if (owner === null) return [scope];
  return scope === null ? [] : (byName.get(owner) ?? []);
}

function idOf(scope: ScopeId, key: string): string {
  return `${scope ?? ""}\u0000${key}`;
}
