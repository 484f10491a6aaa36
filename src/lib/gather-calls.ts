/**
 * Calls that come together go out together: whoever asks for one thing waits with others for one answer to all. While
 * answers are outstanding, further calls gather.
 */

export type Gathered<T> = { readonly ok: T } | { readonly error: unknown };

export interface GatherLimits {
  readonly maxItems: number;
  /** Requests under way. */
  readonly maxAtOnce: number;
}

interface Waiting<In, Out> {
  readonly item: In;
  readonly resolve: (answer: Out) => void;
  readonly reject: (error: unknown) => void;
}

/** `askAll` answers one for each item, in order; what it throws goes to all of them. */
export function gatherCalls<In, Out>(
  askAll: (items: readonly In[]) => Promise<readonly Gathered<Out>[]>,
  { maxItems, maxAtOnce }: GatherLimits,
): (item: In) => Promise<Out> {
  const waiting: Waiting<In, Out>[] = [];
  let underWay = 0;
  let isPlanned = false;

  function send(): void {
    isPlanned = false;
    while (waiting.length > 0 && underWay < maxAtOnce) void sendSome(waiting.splice(0, maxItems));
  }

  async function sendSome(some: readonly Waiting<In, Out>[]): Promise<void> {
    underWay += 1;
    try {
      const answers = await askAll(some.map(({ item }) => item));
      for (const [index, { resolve, reject }] of some.entries()) {
        const answer = answers[index] ?? { error: new Error("There is no answer to one of the calls.") };
        if ("ok" in answer) resolve(answer.ok);
        else reject(answer.error);
      }
    } catch (error) {
      for (const { reject } of some) reject(error);
    } finally {
      underWay -= 1;
      send();
    }
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (isPlanned) return;
      isPlanned = true;
      // Behind everything that asks in the same turn.
      setImmediate(send);
    });
}
