/** Like `Promise.all(items.map(work))`, with at most `maxAtOnce` running. Answers keep the order of `items`. */
export async function mapLimited<Item, Result>(
  items: readonly Item[],
  maxAtOnce: number,
  work: (item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  const waiting = [...items.entries()];
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      results[next[0]] = await work(next[1]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(maxAtOnce, items.length) }, lane));
  return results;
}
