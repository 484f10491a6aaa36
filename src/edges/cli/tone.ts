/** How a word is meant, and how a terminal shows that. */

export type Tone = "good" | "warn" | "bad" | "dim" | "bold";

const ANSI: Readonly<Record<Tone, string>> = { good: "32", warn: "33", bad: "31", dim: "2", bold: "1" };

/** `text` as a terminal with colours is told it. */
export function painted(tone: Tone, text: string): string {
  return `\u001b[${ANSI[tone]}m${text}\u001b[0m`;
}
