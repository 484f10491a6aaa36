/** While the store, or what seals for it, is away, an answer stands in this process alone: it is written down as soon as that is possible. */
import { isSourceAway, toLockstepError } from "../../core/errors.ts";
import { pause } from "../../lib/pause.ts";

/** For ten minutes: an answer that is not written down is lost with its process. */
const KEEP_PAUSE_MS = 2_000;
const KEEP_TRIES = 300;
const NEVER = new AbortController().signal;

export async function untilStored<T>(write: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await write();
    } catch (thrown) {
      if (!isSourceAway(toLockstepError(thrown)) || tries > KEEP_TRIES) throw thrown;
      await pause(KEEP_PAUSE_MS, NEVER);
    }
  }
}
