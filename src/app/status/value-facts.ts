/** What is known of values that are kept elsewhere than in Postgres: as it was found last, nobody is asked for it. */
import type { ValueFacts } from "../../core/doctor/facts.ts";
import type { AppContext } from "../base/context.ts";

const MAX_TROUBLED = 100;

export async function valueFacts({ store, values }: AppContext): Promise<ValueFacts> {
  const { valuePlaces, valueIntents, valueWalk } = store.read;
  return {
    ...(await valueWalk.state()),
    troubled: await valuePlaces.troubled(MAX_TROUBLED),
    owed: await valueIntents.owed(),
    unknownStore: values.named === null ? await valuePlaces.count("named") : 0,
  };
}
