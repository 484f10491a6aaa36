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

export interface ComposeService {
  readonly name: string;
  /** Of `environment` alone; `files` are read before it. */
  readonly sources: EnvironmentSources;
}

/** `absolute`: the compose file's own path, by which relative ones are found. */
export function composeServices(text: string, path: string, absolute: string): readonly ComposeService[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  if (document.errors.length > 0) return [];
  const services: unknown = asRecord(asRecord(document.toJS({ maxAliasCount: 100 }))["services"]);
  return Object.entries(asRecord(services)).map(([name, service]) => {
    const { environment, env_file: files } = asRecord(service);
    const at = (steps: readonly (string | number)[]): number | null => {
      const node = document.getIn(["services", name, "environment", ...steps], true);
      const range = typeof node === "object" && node !== null && "range" in node ? node.range : null;
      const [start] = Array.isArray(range) ? range : [];
      return typeof start === "number" ? lines.linePos(start).line : null;
    };
    return {
      name,
      sources: {
        assigned: pairsOf(environment).flatMap(({ key, value, steps }): Assigned[] =>
          /\$\{?\w/.test(value.replaceAll("$$", ""))
            ? []
            : [
                {
                  file: path,
                  line: at(steps),
                  key,
                  value: SecretValue.of(value.replaceAll("$$", "$")),
                  alone: true,
                },
              ],
        ),
        files: filesOf(files).map((file) => posix.resolve(posix.dirname(absolute), file)),
        unset: new Set(),
      },
    };
  });
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
