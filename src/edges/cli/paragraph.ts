/** A title with its text beside it, which goes on below itself where the terminal ends. Off a terminal it is one line. */
import { visibleLine, visibleText } from "../../lib/visible-text.ts";
import { wrapWords } from "../../lib/wrap-words.ts";
import type { Output } from "./output.ts";
import { displayWidth } from "./text-width.ts";
import type { Tone } from "./tone.ts";

/** A narrower column of text is no help to anybody. */
const MIN_TEXT_WIDTH = 30;

export function showParagraph(output: Output, title: string, text: string, tone: Tone): void {
  output.layOut(({ maxWidth, paint }) => {
    const head = visibleLine(title);
    const indent = displayWidth(head);
    const room = maxWidth === null ? Number.POSITIVE_INFINITY : Math.max(MIN_TEXT_WIDTH, maxWidth - indent);
    const [first = "", ...more] = wrapWords(visibleText(text), room, displayWidth);
    return [`${paint(tone, head)}${first}`, ...more.map((rest) => `${" ".repeat(indent)}${rest}`)];
  });
}
