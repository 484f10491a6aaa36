/**
 * What a process gets of several assignments of one variable. Pure.
 *
 * systemd.exec(5): `EnvironmentFile=` overrides `Environment=`, later files override earlier ones, and
 * `UnsetEnvironment=` takes away at last. Docker's compose specification, "env_file": what `environment` says has
 * precedence. dotenv's readers leave a variable that is set already as it is.
 */
import type { SecretValue } from "../secret-value.ts";

/** In the order of their strength, the weakest first. */
export interface Assigned {
  readonly file: string;
  readonly line: number | null;
  readonly key: string;
  readonly value: SecretValue;
  readonly alone: boolean;
}

/** Where a process's environment comes from. */
export interface EnvironmentSources {
  readonly assigned: readonly Assigned[];
  /** Files that are read into it, whether or not they could be looked at. */
  readonly files: readonly string[];
  readonly unset: ReadonlySet<string>;
}

/** How a program that reads the kept file by itself treats a variable that it was started with. */
export type OwnReader = "environment-wins" | "file-wins";

/** Null: nothing sets it, or the kept place does. */
export function overruling(
  { assigned, files, unset }: EnvironmentSources,
  kept: { readonly file: string; readonly key: string; readonly reader: OwnReader },
): Assigned | null {
  if (unset.has(kept.key)) return null;
  const isInjected = files.includes(kept.file);
  if (!isInjected && kept.reader === "file-wins") return null;
  const last = assigned.findLast(({ key }) => key === kept.key) ?? null;
  return last?.file === kept.file ? null : last;
}
