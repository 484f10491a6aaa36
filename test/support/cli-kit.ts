/** The command line in this process, against a real server on loopback; what it writes is kept. */
import { PassThrough } from "node:stream";
import { rootKeyCopies } from "../../src/adapters/crypto/root-key-copy.ts";
import { EVERY_COMMAND } from "../../src/edges/cli/every-command.ts";
import { runCommandLine } from "../../src/edges/cli/run.ts";

export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  json(): unknown;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly stdin?: string;
  /** What a person types at a terminal, once asked. */
  readonly types?: string;
  /** A person at a terminal who waits for each question (a part of its text) before answering it with a line. */
  readonly answers?: readonly Answer[];
  /** The agent's program on this machine. */
  readonly agent?: Parameters<typeof runCommandLine>[0]["agent"];
}

/** What a command adds on stderr while something takes long, as it may on a slow machine. */
export const PROGRESS = /^.*…\n/gm;

export type Answer = readonly [question: string, line: string];

export async function runCli(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const terminal = options.types !== undefined || options.answers !== undefined;
  const stdin = new PassThrough();
  const stdout = collector(terminal);
  const stderr = collector(terminal);
  if (!terminal) stdin.end(options.stdin ?? "");
  else if (options.types !== undefined) stdin.write(options.types);
  const left = converse(options.answers ?? [], stderr.stream, stdin);
  const exitCode = await runCommandLine({
    argv,
    version: "0.0.0-test",
    commands: EVERY_COMMAND,
    env: options.env ?? {},
    demo: () => Promise.reject(new Error("not in these tests")),
    agent: options.agent ?? (() => Promise.reject(new Error("not in these tests"))),
    rootKeyCopies: async () => rootKeyCopies,
    start: () => Promise.reject(new Error("not in these tests")),
    // Streams of a process, as far as the command line uses them.
    streams: {
      stdin: Object.assign(stdin, {
        isTTY: terminal,
        setRawMode: () => stdin,
      }) as unknown as NodeJS.ReadStream,
      stdout: stdout.stream as unknown as NodeJS.WriteStream,
      stderr: stderr.stream as unknown as NodeJS.WriteStream,
    },
  });
  if (exitCode !== 64 && exitCode !== 130 && left.length > 0)
    throw new Error(`never asked: ${left[0]?.[0]}\n${stderr.text()}`);
  return {
    exitCode,
    stdout: stdout.text(),
    stderr: stderr.text(),
    json: (): unknown => JSON.parse(stdout.text()),
  };
}

/** Answers in order; a question that nobody expected ends the conversation. Answers what is left to say. */
function converse(answers: readonly Answer[], stderr: PassThrough, stdin: PassThrough): readonly Answer[] {
  const left = [...answers];
  let heard = "";
  stderr.on("data", (chunk: Buffer) => {
    heard += chunk.toString();
    if (answers.length === 0 || !/(?:: |\] )$/.test(heard)) return;
    const [next] = left;
    if (next === undefined || !heard.includes(next[0])) {
      stdin.end();
      return;
    }
    heard = "";
    left.shift();
    stdin.write(`${next[1]}\n`);
  });
  return left;
}

function collector(isTTY: boolean) {
  const chunks: string[] = [];
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 100 });
  stream.on("data", (chunk: Buffer) => chunks.push(chunk.toString()));
  return { stream, text: (): string => chunks.join("") };
}
