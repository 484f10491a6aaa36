/**
 * A new version everywhere, in order: each service accepts both values before anybody sends the new one, and the old one
 * goes when nobody uses it any more. While they restart, calls may find nobody listening; none may be refused.
 */
import type { Tally } from "../calls.ts";
import { callsTable } from "../calls-table.ts";
import { assertThat, everyPair, placesOf, SECRET, type Story, standings, watchCalls } from "../story.ts";

/** Of a service that verifies and sends: accept both, send the new one, accept it alone. */
const DEPLOYMENTS = 3;

export async function rotate(story: Story): Promise<Tally> {
  const { screen, product, calls } = story;
  const before = await valuesOf(story);
  screen.say("A new random value: accepted everywhere first, then sent, and the old one taken away last:");
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
  assertThat(tally.refused === 0, `${tally.refused} calls were refused during the rotation`);
  screen.say(
    `Every service restarted ${DEPLOYMENTS} times, and of ${tally.answered + tally.refused + tally.lost} calls ` +
      `${tally.refused} were refused (${tally.lost} met a service that was just restarting).`,
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
