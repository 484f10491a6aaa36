/** Exactly the command that was named, and every call is answered again. */
import { everyPair, type Story, watchCalls } from "../story.ts";

export async function repair(story: Story, command: string): Promise<void> {
  story.screen.say("Exactly the command that was named:");
  await story.product.mustAsPrinted(command);
  await watchCalls(story, everyPair, "that all calls are answered again");
}
