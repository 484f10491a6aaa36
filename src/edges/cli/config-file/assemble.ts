/**
 * Several files → one configuration sorted by environment, and back: where each part of it was written.
 *
 * `environment:` names the environment of what stands at the top of its file (production unless told); `environments:`
 * holds more. Files may add to the same environment, but one secret or target stands in one place only.
 */
import type { ConfigPath, ConfigProblem } from "../../../protocol/config-problem.ts";
import { didYouMean } from "../../../protocol/config-problem.ts";
import { type LocatedProblem, type Location, locateProblem } from "./located.ts";
import type { Plain, YamlSource } from "./yaml-source.ts";

const DEFAULT_ENVIRONMENT = "production";
const SECTIONS = ["secrets", "targets"] as const;
const TOP_KEYS = ["environment", "environments", ...SECTIONS, "alerts"];

type Mapping = { [key: string]: Plain };

interface Origin {
  readonly source: YamlSource;
  readonly path: ConfigPath;
}

export interface Assembled {
  readonly raw: { readonly environments: Mapping; readonly alerts?: Plain };
  readonly problems: readonly LocatedProblem[];
  /** Where a part of the assembled configuration was written; the nearest part above it when it was not. */
  locate(path: ConfigPath): Location;
}

export function assemble(sources: readonly YamlSource[]): Assembled {
  const assembly = new Assembly(sources);
  for (const source of sources) assembly.add(source);
  return assembly.finish();
}

class Assembly {
  readonly #first: YamlSource | undefined;
  readonly #problems: LocatedProblem[] = [];
  readonly #environments = new Map<string, Map<string, Plain>>();
  readonly #origins = new Map<string, Origin>();
  #alerts: Plain | undefined;

  constructor(sources: readonly YamlSource[]) {
    this.#first = sources[0];
  }

  add(source: YamlSource): void {
    const top = source.value;
    if (!isMapping(top) || Object.keys(top).length === 0) {
      const empty = top === null || isMapping(top);
      this.#refuse(source, [], empty ? "is empty" : "does not begin with a mapping of keys", {
        remedy:
          "Begin with `environment:`, `secrets:` and `targets:`; an empty file never means deleting everything.",
      });
      return;
    }
    for (const key of Object.keys(top).filter((name) => !TOP_KEYS.includes(name))) {
      this.#refuse(source, [key], "is not a known key", {
        remedy: didYouMean(key, TOP_KEYS) ?? `Remove it; known here: ${TOP_KEYS.join(", ")}.`,
      });
    }
    const named = top["environment"] ?? DEFAULT_ENVIRONMENT;
    if (typeof named !== "string") {
      this.#refuse(source, ["environment"], "must be text", { remedy: "Write `environment: production`." });
    } else if (SECTIONS.some((section) => Object.hasOwn(top, section)) || Object.hasOwn(top, "environment")) {
      this.#addEnvironment(source, named, top, []);
    }
    this.#addMore(source, top);
    if (Object.hasOwn(top, "alerts")) {
      this.#alerts = this.#once(source, ["alerts"], ["alerts"], top["alerts"] ?? null) ?? this.#alerts;
    }
  }

  #addMore(source: YamlSource, top: Mapping): void {
    if (!Object.hasOwn(top, "environments")) return;
    const more = top["environments"];
    if (!isMapping(more)) {
      this.#refuse(source, ["environments"], "must be a mapping of environments", {
        remedy: "Write each environment's name with `secrets:` and `targets:` below it.",
      });
      return;
    }
    for (const [name, environment] of Object.entries(more)) {
      const path = ["environments", name];
      if (isMapping(environment)) this.#addEnvironment(source, name, environment, path);
      else {
        this.#refuse(source, path, "is empty or no mapping", {
          remedy: "Give it `secrets:` and `targets:`, or leave it out.",
        });
      }
    }
  }

  #addEnvironment(source: YamlSource, name: string, content: Mapping, path: ConfigPath): void {
    this.#origins.set(idOf(["environments", name]), {
      source,
      path: path.length === 0 ? ["environment"] : path,
    });
    const environment = this.#environments.get(name) ?? new Map<string, Plain>();
    this.#environments.set(name, environment);
    for (const [key, section] of Object.entries(content)) {
      const isSection = SECTIONS.some((known) => known === key);
      if (path.length === 0 && !isSection) continue;
      const from = [...path, key];
      const to = ["environments", name, key];
      if (!isSection || !isMapping(section)) {
        // Left to the schema, whose words are the same for everybody.
        this.#origins.set(idOf(to), { source, path: from });
        environment.set(key, section);
        continue;
      }
      const merged = environment.get(key);
      const target: Mapping = isMapping(merged) ? merged : {};
      for (const [item, value] of Object.entries(section)) {
        const kept = this.#once(source, [...to, item], [...from, item], value);
        if (kept !== undefined) Object.defineProperty(target, item, { value, ...OWN });
      }
      if (!this.#origins.has(idOf(to))) this.#origins.set(idOf(to), { source, path: from });
      environment.set(key, target);
    }
  }

  #once(source: YamlSource, to: ConfigPath, from: ConfigPath, value: Plain): Plain | undefined {
    const before = this.#origins.get(idOf(to));
    if (before !== undefined) {
      const { file, line } = before.source.locate(before.path);
      this.#refuse(source, from, `is already in ${file} line ${line}`, {
        remedy: "Keep one of the two.",
        shown: to,
      });
      return undefined;
    }
    this.#origins.set(idOf(to), { source, path: from });
    return value;
  }

  #refuse(
    source: YamlSource,
    path: ConfigPath,
    message: string,
    { remedy, shown }: { readonly remedy: string; readonly shown?: ConfigPath },
  ): void {
    const problem: ConfigProblem = { path: shown ?? path, message, remedy };
    this.#problems.push(locateProblem(problem, source.locate(path)));
  }

  finish(): Assembled {
    const environments: Mapping = Object.fromEntries(
      [...this.#environments].map(([name, content]) => [name, Object.fromEntries(content)]),
    );
    return {
      raw: this.#alerts === undefined ? { environments } : { environments, alerts: this.#alerts },
      problems: this.#problems,
      locate: (path) => this.#locate(path),
    };
  }

  #locate(path: ConfigPath): Location {
    for (let length = path.length; length > 0; length -= 1) {
      const origin = this.#origins.get(idOf(path.slice(0, length)));
      if (origin !== undefined) return origin.source.locate([...origin.path, ...path.slice(length)]);
    }
    return { file: this.#first?.file ?? "lockstep.yaml", line: 1, column: 1 };
  }
}

const OWN = { enumerable: true, writable: true, configurable: true } as const;

function idOf(path: ConfigPath): string {
  return JSON.stringify(path);
}

function isMapping(value: Plain | undefined): value is Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
