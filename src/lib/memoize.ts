/** Asks once per key, also while the first answer is under way; a failure is remembered too. */
export function memoize<T>(load: (key: string) => Promise<T>): (key: string) => Promise<T> {
  const cache = new Map<string, Promise<T>>();
  return (key) => {
    const known = cache.get(key) ?? load(key);
    cache.set(key, known);
    return known;
  };
}
