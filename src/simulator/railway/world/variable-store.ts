/**
 * The stored variables of one environment: its shared scope and one scope per service. Each write makes a new
 * generation and keeps some older ones, so that a read can be made to answer an earlier state.
 */
import { randomUUID } from "node:crypto";

/** The scope of shared variables; every other scope is a service id. */
export const SHARED = "";

export interface StoredVariable {
  readonly id: string;
  readonly name: string;
  readonly value: string;
  readonly sealed: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export type ScopeVariables = ReadonlyMap<string, StoredVariable>;
export type Generation = ReadonlyMap<string, ScopeVariables>;

export interface VariableSet {
  readonly name: string;
  /** Absent: as it was; then a name that does not exist stays absent. */
  readonly value?: string;
  /** Absent: as it was. A sealed variable can be overwritten, never unsealed. */
  readonly sealed?: boolean;
}

export interface ScopeChange {
  readonly scope: string;
  readonly set?: readonly VariableSet[];
  readonly remove?: readonly string[];
  /** Remove every name that `set` does not hold. */
  readonly replace?: boolean;
}

const MAX_GENERATIONS = 200;
const EMPTY: ScopeVariables = new Map();

export class VariableStore {
  readonly #generations: Generation[] = [new Map()];
  #revision = 0;

  /** Counts writes. */
  get revision(): number {
    return this.#revision;
  }

  /** The state before the last `writesBehind` writes; the oldest known when that is further back. */
  at(writesBehind: number): Generation {
    const index = Math.max(0, this.#generations.length - 1 - writesBehind);
    return this.#generations[index] ?? new Map();
  }

  scope(scope: string, writesBehind = 0): ScopeVariables {
    return this.at(writesBehind).get(scope) ?? EMPTY;
  }

  /** All changes together are one write. */
  write(changes: readonly ScopeChange[], at: Date): void {
    const next = new Map(this.at(0));
    for (const change of changes)
      next.set(change.scope, applied(next.get(change.scope) ?? EMPTY, change, at));
    this.#generations.push(next);
    if (this.#generations.length > MAX_GENERATIONS) this.#generations.shift();
    this.#revision += 1;
  }
}

function applied(before: ScopeVariables, change: ScopeChange, at: Date): ScopeVariables {
  const after = new Map(before);
  const set = change.set ?? [];
  if (change.replace === true) {
    const kept = new Set(set.map(({ name }) => name));
    for (const name of before.keys()) if (!kept.has(name)) after.delete(name);
  }
  for (const name of change.remove ?? []) after.delete(name);
  for (const { name, value: told, sealed } of set) {
    const old = before.get(name);
    const value = told ?? old?.value;
    if (value === undefined) continue;
    after.set(name, {
      id: old?.id ?? randomUUID(),
      name,
      value,
      sealed: old?.sealed === true || sealed === true,
      createdAt: old?.createdAt ?? at,
      updatedAt: at,
    });
  }
  return after;
}
