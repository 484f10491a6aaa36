/**
 * What the demo shows: chapters with their time, commands as they are typed with their real output, a table that
 * lives. Colours and redrawing only where the terminal is one; 80 columns are enough.
 */

import { setTimeout as delay } from "node:timers/promises";
import { wrapWords } from "../lib/wrap-words.ts";

export interface Terminal {
  write(text: string): void;
  readonly colours: boolean;
  /** May be redrawn. */
  readonly live: boolean;
  readonly columns: number;
}

type Tone = "good" | "bad" | "warn" | "dim" | "bold";

const ANSI: Readonly<Record<Tone, string>> = { good: "32", bad: "31", warn: "33", dim: "2", bold: "1" };
const MAX_WIDTH = 80;
const REDRAW_MS = 150;
const INDENT = "  ";
const ESCAPE = "\u001b";

export class Screen {
  readonly #terminal: Terminal;
  readonly #pauses: boolean;
  readonly #signal: AbortSignal;

  constructor(terminal: Terminal, options: { readonly pauses: boolean; readonly signal: AbortSignal }) {
    this.#terminal = terminal;
    this.#pauses = options.pauses;
    this.#signal = options.signal;
  }

  /** Makes commands paint as they would on this terminal. */
  get childStyle(): Readonly<Record<string, string>> {
    const { colours, columns } = this.#terminal;
    return colours ? { FORCE_COLOR: "1", COLUMNS: String(Math.max(40, columns - 2)) } : { NO_COLOR: "1" };
  }

  chapter(number: number, title: string): void {
    const head = `── ${number}  ${title} `;
    this.#line("");
    this.#line(this.paint("bold", head.padEnd(Math.min(MAX_WIDTH, this.#terminal.columns), "─")));
  }

  chapterEnd(ms: number): void {
    this.#line(this.paint("dim", `   ${secondsText(ms)}`));
  }

  /** A sentence or two of the narrator's. */
  say(text = ""): void {
    if (text === "") this.#line("");
    for (const line of wrapWords(text, Math.min(MAX_WIDTH, this.#terminal.columns), widthOf))
      this.#line(line);
  }

  command(line: string): void {
    this.#line("");
    this.#line(`${this.paint("dim", "$")} ${this.paint("bold", line)}`);
  }

  /** What a command printed. */
  output(text: string): void {
    if (text.trim() === "") return;
    for (const line of text.trimEnd().split("\n")) this.#indented(line);
  }

  /**
   * Drawn again and again until the work is done, where the terminal can; elsewhere once, at its end. `passing`: for
   * the meantime only, so nothing of it stays.
   */
  async live<Result>(
    draw: () => readonly string[],
    work: Promise<Result>,
    options: { readonly passing?: boolean } = {},
  ): Promise<Result> {
    const { live } = this.#terminal;
    const passing = options.passing === true;
    let height = 0;
    const draft = (lines: readonly string[]): void => {
      const up = height === 0 ? "" : `\u001b[${height}A`;
      this.#terminal.write(`${up}${lines.map((line) => `\u001b[2K${line}\n`).join("")}\u001b[0J`);
      height = lines.length;
    };
    const timer = live ? setInterval(() => draft(draw()), REDRAW_MS) : null;
    try {
      return await work;
    } finally {
      if (timer !== null) clearInterval(timer);
      if (live) draft(passing ? [] : draw());
      else if (!passing) for (const line of draw()) this.#line(line);
    }
  }

  /** Time to read; none where nobody reads along. */
  async pause(ms: number): Promise<void> {
    if (this.#pauses) await delay(ms, undefined, { signal: this.#signal });
  }

  paint(tone: Tone, text: string): string {
    return this.#terminal.colours ? `\u001b[${ANSI[tone]}m${text}\u001b[0m` : text;
  }

  /** Painted lines fit already: tables do. Others go on further in, so that they are seen to belong together. */
  #indented(line: string): void {
    const { live, columns } = this.#terminal;
    const fits = line.length + INDENT.length <= columns || line.includes("\u001b");
    const parts = fits || !live ? [line] : wrapWords(line, columns - 3 * INDENT.length, widthOf);
    for (const [index, part] of parts.entries())
      this.#line(`${INDENT}${index === 0 ? "" : INDENT.repeat(2)}${part}`.trimEnd());
  }

  #line(text: string): void {
    this.#terminal.write(`${text}\n`);
  }
}

export function secondsText(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** Without what paints. */
function widthOf(text: string): number {
  return (
    [...text].length -
    text
      .split(ESCAPE)
      .slice(1)
      .reduce((sum, part) => sum + part.indexOf("m") + 2, 0)
  );
}
