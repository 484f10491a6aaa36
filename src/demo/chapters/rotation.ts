/**
 * A new version everywhere. `replace` gives every place the new value at once, and places restart at their own pace:
 * until the last one has, some calls are refused. How long and how many is measured, and said.
 */
import type { Tally } from "../calls.ts";
import { callsTable } from "../calls-table.ts";
import { assertThat, everyPair, placesOf, SECRET, type Story, standings, watchCalls } from "../story.ts";

export async function rotate(story: Story): Promise<Tally> {
  const { screen, product, calls } = story;
  const before = await valuesOf(story);
  screen.say("A new random value, brought to every place, read back, its services restarted:");
  const since = performance.now();
  const { exitCode } = await product.run(["rotate", SECRET, "--wait"], {
    meanwhile: () => callsTable(calls, since, screen),
  });
  assertThat(exitCode === 0, "the rotation did not end well");
  await watchCalls(story, everyPair, "that all calls are answered after the rotation");
  const tally = calls.tally(since);

  const { current, bindings } = await standings(story);
  assertThat(
    bindings.every(({ version, state }) => version === current && state === "in-sync"),
    "not every place is in sync with the new version",
  );
  const after = await valuesOf(story);
  assertThat(after !== before, "the value did not change");
  screen.say();
  screen.say(
    `This release replaces: all places get the value at once and restart when they can. Here they disagreed for ` +
      `${tally.refusedForMs} ms: ${tally.refused} of ${tally.answered + tally.refused + tally.lost} calls were refused, ${tally.lost} found nobody listening.`,
  );
  return tally;
}

/** The one value that stands at every place. */
async function valuesOf(story: Story): Promise<string> {
  const values = await Promise.all(placesOf(story).map((place) => place.stored()));
  const [first] = values;
  assertThat(
    typeof first === "string" && values.every((value) => value === first),
    "places hold different values",
  );
  return first;
}
