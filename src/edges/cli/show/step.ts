/** A step as people read it: where, what to do, and the command that says it is done. */
import { shellCommand } from "../../../lib/shell-quote.ts";
import { visibleLine } from "../../../lib/visible-text.ts";
import type { StepAnswer } from "../../../protocol/api-steps.ts";
import type { Output } from "../output.ts";
import { showTable } from "../table.ts";

type StepKey = StepAnswer["keys"][number];

export function showStep(output: Output, step: StepAnswer): void {
  const { target, environment, isOpen, instructions, keys } = step;
  output.line(
    isOpen
      ? `${target} in ${environment}: something must be done by hand.`
      : `${target} in ${environment}: nothing must be done; the place holds what was confirmed.`,
  );
  if (isOpen && instructions !== null) {
    output.line();
    for (const line of instructions.trimEnd().split("\n")) output.line(`  ${visibleLine(line)}`);
  }
  output.line();
  showTable<StepKey>(
    output,
    [
      { header: "key", cell: ({ key }) => key },
      { header: "do", cell: doText },
      { header: "secret", cell: ({ secret }) => secret },
      { header: "before", cell: ({ before }) => (before === null ? "–" : `v${before}`) },
    ],
    keys,
    "The place must hold nothing.",
  );
  if (!isOpen) return;
  output.line();
  const here = ["--environment", environment];
  for (const { key } of keys.filter((one) => one.do === "set"))
    output.note(`The value: ${shellCommand(["lockstep", "step", "reveal", target, key, ...here])}`);
  output.note(`When that is done: ${shellCommand(["lockstep", "step", "confirm", target, ...here])}`);
}

export function doText({ do: doing, version }: StepKey): string {
  if (doing === "set") return `set to v${version}`;
  return doing === "remove" ? "remove" : `leave v${version}`;
}
