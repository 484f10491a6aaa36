/**
 * What a compose file gives its services: `environment` before `env_file` (compose specification, services.md). What is
 * interpolated (`${NAME}`) comes from elsewhere and is no copy. Pure; what is no such file has no services.
 */
import { posix } from "node:path";
import { LineCounter, parseDocument } from "yaml";
import type { Assigned, EnvironmentSources } from "../../../core/copies/precedence.ts";
import { SecretValue } from "../../../core/secret-value.ts";

export function isComposeFile(path: string): boolean {
  return /^(?:docker-)?compose[\w.-]*\.ya?ml$/.test(posix.basename(path));
}

/** One for each service: what `environment` assigns, and the files that are read before it. `path` is absolute. */
export function composeEnvironments(text: string, path: string): readonly EnvironmentSources[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  if (document.errors.length > 0) return [];
  return Object.entries(servicesOf(document)).map(([name, service]) => {
    const { environment, env_file: files } = asRecord(service);
    const at = (steps: readonly (string | number)[]): number | null => {
      const node = document.getIn(["services", name, "environment", ...steps], true);
      const range = typeof node === "object" && node !== null && "range" in node ? node.range : null;
      const [start] = Array.isArray(range) ? range : [];
      return typeof start === "number" ? lines.linePos(start).line : null;
    };
    const literal = pairsOf(environment).filter(({ value }) => !/\$\{?\w/.test(value.replaceAll("$$", "")));
    return {
      assigned: literal.map(
        ({ key, value, steps }): Assigned => ({
          file: path,
          line: at(steps),
          key,
          value: SecretValue.of(value.replaceAll("$$", "$")),
          alone: true,
        }),
      ),
      files: filesOf(files).map((file) => posix.resolve(posix.dirname(path), file)),
      unset: new Set(),
    };
  });
}

/** None where aliases would make a small file a huge one. */
function servicesOf(document: ReturnType<typeof parseDocument>): Readonly<Record<string, unknown>> {
  try {
    return asRecord(asRecord(document.toJS({ maxAliasCount: 100 }))["services"]);
  } catch {
    return {};
  }
}

/** A map, or a list of `KEY=value`; without a value it is taken from the shell. */
function pairsOf(environment: unknown): readonly {
  readonly key: string;
  readonly value: string;
  readonly steps: readonly (string | number)[];
}[] {
  if (Array.isArray(environment)) {
    return environment.flatMap((item: unknown, index) => {
      const [, key, value] = /^([^=]+)=(.*)$/s.exec(String(item)) ?? [];
      return key === undefined || value === undefined ? [] : [{ key, value, steps: [index] }];
    });
  }
  return Object.entries(asRecord(environment)).flatMap(([key, value]) =>
    value === null || typeof value === "object" ? [] : [{ key, value: String(value), steps: [key] }],
  );
}

function filesOf(files: unknown): readonly string[] {
  const list = Array.isArray(files) ? files : [files];
  return list.flatMap((file: unknown) => {
    const path = typeof file === "string" ? file : asRecord(file)["path"];
    return typeof path === "string" ? [path] : [];
  });
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : {};
}
