/** Lockstep is asked what is wrong. Answers the command that it names. */
import { assertThat, SECRET, type Story } from "../story.ts";

const EXIT_WRONG = 3;

interface Diagnosis {
  readonly findings: readonly {
    readonly severity: string;
    readonly secret: string | null;
    readonly target: string | null;
    readonly command: string | null;
  }[];
}

export async function diagnose(story: Story): Promise<string> {
  const { screen, product, railway } = story;
  screen.say("Lockstep looks at the places and compares, without showing a value.");
  const { stdout } = await product.must(["doctor"], [EXIT_WRONG]);
  const { findings } = (await product.json(["doctor"])) as Diagnosis;
  const wrong = findings.filter(({ severity }) => severity === "wrong");
  const [named] = wrong;
  assertThat(
    wrong.length === 1 && named?.secret === SECRET && named.target === railway.service,
    `lockstep doctor does not name ${railway.service} alone`,
  );
  const { command } = named;
  assertThat(command !== null && stdout.includes(command), "lockstep doctor prints no command for it");
  return command;
}
