/** Keeps a line open on which the server says that something changed. It only saves time: polling would find it too. */
import { toLockstepError } from "../../../core/errors.ts";
import { pause } from "../../../lib/pause.ts";
import type { AgentContext } from "../context.ts";
import { backoffMs } from "./backoff.ts";

/** Until `signal` aborts. `changed` is also called when the line stands anew: what was said meanwhile is lost. */
export async function listenForChanges(
  context: AgentContext,
  options: {
    readonly changed: () => void;
    readonly mayTalk: () => boolean;
    /** Aborts when lines that stand are no lines any more; then a new one is opened at once. */
    readonly life: () => AbortSignal;
  },
  signal: AbortSignal,
): Promise<void> {
  const { client, timing, random } = context;
  let failures = 0;
  while (!signal.aborted) {
    const life = options.life();
    const limited = AbortSignal.any([signal, life]);
    if (options.mayTalk()) {
      try {
        const open = (): void => {
          failures = 0;
          options.changed();
        };
        await client.events({ open, change: options.changed }, timing.silenceMs, limited);
      } catch (error) {
        // Told by the polls, which fail as well; a line that is only cut now and then is nobody's concern.
        void toLockstepError(error);
        failures += 1;
      }
    }
    await pause(backoffMs(timing.reconnectMs, failures, random()), limited);
    if (life.aborted) failures = 0;
  }
}
