/**
 * The only one who speaks to stdout, stderr and the terminal.
 *
 * Promises: answers go to stdout, everything else to stderr; with `--json` stdout holds exactly one JSON document (one a
 * line where answers follow each other), and
 * progress is not told; colours appear on a terminal alone; text from elsewhere cannot steer the terminal. Leaves to others: what
 * to say, and what a closed pipe means (`ending.ts`).
 */
import type { LockstepError } from "../../core/errors.ts";
import { visibleJson, visibleLine, visibleText } from "../../lib/visible-text.ts";
import { painted, type Tone } from "./tone.ts";

/** Below that, a line that comes and goes is only noise. */
const NOTICED_AFTER_MS = 700;

/** The screen and what scrolled off it; the cursor home. */
const CLEAR = "\x1b[2J\x1b[3J\x1b[H";

export interface Streams {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

export interface OutputOptions {
  readonly json: boolean;
  readonly noColor: boolean;
  /** Paint and fit as on a terminal of this width; null: only where there is one. */
  readonly forcedColumns: number | null;
}

export interface Look {
  /** In columns. Null: nothing is cut, because a program or a file reads it. */
  readonly maxWidth: number | null;
  readonly paint: (tone: Tone, text: string) => string;
}

export class Output {
  readonly json: boolean;
  readonly #streams: Streams;
  readonly #noColor: boolean;
  readonly #forcedColumns: number | null;
  #progressLines = 0;
  #lastProgress: readonly string[] = [];

  constructor(streams: Streams, options: OutputOptions) {
    this.#streams = streams;
    this.json = options.json;
    this.#noColor = options.noColor;
    this.#forcedColumns = options.forcedColumns;
  }

  /** Prints the document with --json, otherwise what `show` prints. */
  answer(document: unknown, show: () => void): void {
    if (this.json) this.#streams.stdout.write(`${visibleJson(JSON.stringify(document, null, 2))}\n`);
    else show();
  }

  /** One of several answers, in place of the one before on a terminal. With --json each is a line of its own. */
  anew(document: unknown, show: () => void): void {
    if (this.json) {
      this.#streams.stdout.write(`${visibleJson(JSON.stringify(document))}\n`);
      return;
    }
    if (this.#streams.stdout.isTTY) this.#streams.stdout.write(CLEAR);
    show();
    if (!this.#streams.stdout.isTTY) this.#streams.stdout.write("\n");
  }

  line(text = ""): void {
    this.#streams.stdout.write(`${visibleText(text)}\n`);
  }

  /** Lines that `render` made for where the answer goes: visible, painted and cut already. */
  layOut(render: (look: Look) => readonly string[]): void {
    const { stdout } = this.#streams;
    const lines = render({
      maxWidth: this.#width,
      paint: (tone, text) => this.#paint(stdout, tone, text),
    });
    for (const line of lines) stdout.write(`${line}\n`);
  }

  /** Of the answer; null where it is no terminal. */
  get #width(): number | null {
    const { isTTY, columns = 80 } = this.#streams.stdout;
    return isTTY ? columns : this.#forcedColumns;
  }

  /**
   * Exactly these characters: a revealed value. A terminal gets a line break after it, and sees what would steer it: a
   * value may have been taken over from a place that lies.
   */
  raw(text: string): void {
    if (this.#streams.stdout.isTTY !== true) {
      this.#streams.stdout.write(text);
      return;
    }
    const shown = visibleText(text);
    this.#streams.stdout.write(shown.endsWith("\n") ? shown : `${shown}\n`);
    if (shown !== text)
      this.note(
        "note: it holds control characters, shown as \\u{…}; a pipe or a file gets them as they are.",
      );
  }

  /** For who draws for himself: what the story's stream can do. */
  get style(): { readonly live: boolean; readonly colours: boolean; readonly columns: number } {
    const { isTTY, columns } = this.#story;
    return {
      live: isTTY === true,
      colours: this.#paint(this.#story, "dim", "") !== "",
      columns: this.#forcedColumns ?? columns ?? 80,
    };
  }

  /** Parts of a story that tells itself as it happens, exactly as they are. With --json it is not the answer. */
  story(text: string): void {
    this.#story.write(text);
  }

  /** A remark for the person; never part of the answer. */
  note(text: string): void {
    this.#endProgress();
    this.#streams.stderr.write(`${visibleText(text)}\n`);
  }

  /** A question's text, without a line break of its own. */
  ask(text: string): void {
    this.#streams.stderr.write(visibleText(text));
  }

  /** The present state of something that takes a while: redrawn on a terminal, otherwise each changed line once. */
  progress(lines: readonly string[]): void {
    if (this.json) return;
    const shown = lines.map((line) => visibleLine(line));
    const { stderr } = this.#streams;
    if (!stderr.isTTY) {
      for (const line of shown) {
        if (!this.#lastProgress.includes(line)) stderr.write(`${line}\n`);
      }
      this.#lastProgress = shown;
      return;
    }
    const width = stderr.columns ?? 80;
    // More lines than the terminal has could not be redrawn: what scrolled away stays.
    const visible = shown.slice(0, Math.max(1, (stderr.rows ?? 24) - 2));
    const up = this.#progressLines > 0 ? `\u001b[${this.#progressLines}A` : "";
    stderr.write(`${up}${visible.map((line) => `\u001b[2K${cut(line, width - 1)}\n`).join("")}\u001b[0J`);
    this.#progressLines = visible.length;
  }

  /** Takes the progress off a terminal: what was done is told by the answer. */
  endProgress(): void {
    if (this.#progressLines > 0) this.#streams.stderr.write(`\u001b[${this.#progressLines}A\u001b[0J`);
    this.#endProgress();
  }

  /** Says what is being waited for, once it takes long enough to be noticed. */
  async while<T>(text: string, work: () => Promise<T>): Promise<T> {
    const { isTTY } = this.#streams.stderr;
    const startedAt = performance.now();
    const tell = (): void => {
      const seconds = Math.round((performance.now() - startedAt) / 1_000);
      this.progress([isTTY ? `${text}… ${seconds} s` : `${text}…`]);
    };
    let repeated: NodeJS.Timeout | undefined;
    const first = setTimeout(() => {
      tell();
      repeated = setInterval(tell, 1_000);
    }, NOTICED_AFTER_MS);
    try {
      return await work();
    } finally {
      clearTimeout(first);
      clearInterval(repeated);
      this.endProgress();
    }
  }

  error(error: LockstepError): void {
    this.#endProgress();
    const { stderr } = this.#streams;
    if (this.json) {
      stderr.write(`${visibleJson(JSON.stringify(problemOf(error), null, 2))}\n`);
      return;
    }
    stderr.write(`${this.#paint(stderr, "bad", `error ${error.code}:`)} ${visibleText(error.message)}\n`);
    stderr.write(`${this.#paint(stderr, "bold", "fix:")} ${visibleText(error.hint)}\n`);
  }

  /** True when a person would see a question. */
  get asksPeople(): boolean {
    return this.#streams.stderr.isTTY === true;
  }

  get #story(): NodeJS.WriteStream {
    return this.json ? this.#streams.stderr : this.#streams.stdout;
  }

  #endProgress(): void {
    this.#progressLines = 0;
    this.#lastProgress = [];
  }

  #paint(stream: NodeJS.WriteStream, tone: Tone, text: string): string {
    return (stream.isTTY || this.#forcedColumns !== null) && !this.#noColor ? painted(tone, text) : text;
  }
}

/**
 * Short enough for one line of a terminal, or the next progress would be drawn over the wrong lines. No character takes more
 * than two columns; to know it better takes longer to load than a command has that only waits.
 */
function cut(line: string, width: number): string {
  const columnsOf = (character: string) => (/[ -~]/.test(character) ? 1 : 2);
  const characters = [...line];
  let room = width - characters.reduce((sum, character) => sum + columnsOf(character), 0);
  if (room >= 0) return line;
  for (room -= columnsOf("…"); room < 0 && characters.length > 0; ) room += columnsOf(characters.pop() ?? "");
  return `${characters.join("")}…`;
}

/** The same words as the API's problem documents. */
function problemOf(error: LockstepError) {
  return {
    type: `urn:lockstep:error:${error.code}`,
    title: error.code,
    status: error.status,
    detail: error.message,
    code: error.code,
    hint: error.hint,
    details: error.details,
  };
}
