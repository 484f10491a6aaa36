/** For the end of an exhaustive switch: a new case becomes a compile error, a foreign value a loud one. */
export function assertNever(value: never): never {
  throw new Error(`unexpected case: ${String(value)}`);
}
