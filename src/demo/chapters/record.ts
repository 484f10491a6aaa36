/** Everything that happened is on record. */
import { assertThat, type Story, standings } from "../story.ts";

export async function recall(story: Story): Promise<void> {
  const { product } = story;
  await product.must(["history", "--limit", "8"]);
  const { pushes } = (await product.json(["history"])) as {
    readonly pushes: readonly {
      readonly target: string;
      readonly outcome: string;
      readonly items: readonly { readonly version: number | null }[];
    }[];
  };
  const { current, bindings } = await standings(story);
  for (const { target } of bindings) {
    const isRecorded = pushes.some(
      (push) =>
        push.target === target &&
        ["succeeded", "unchanged"].includes(push.outcome) &&
        push.items.some(({ version }) => version === current),
    );
    assertThat(isRecorded, `the history lacks the last change at ${target}`);
  }
}
