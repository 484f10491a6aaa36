/** Lockstep is asked what is wrong. Answers the command that it names. */
import { assertThat, SECRET, type Story } from "../story.ts";

const EXIT_DRIFT = 3;

export async function diagnose(story: Story): Promise<readonly string[]> {
  const { screen, product, railway } = story;
  screen.say("Lockstep looks at the places and compares, without showing a value.");
  const { stdout } = await product.must(["check"], [EXIT_DRIFT]);
  assertThat(stdout.includes(railway.service), `lockstep check does not name ${railway.service}`);
  return ["rotate", SECRET, "--wait"];
}
