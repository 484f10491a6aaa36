/** The command line in this process, against a real server on loopback; what it writes is kept. */
import { PassThrough } from "node:stream";
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
}

export async function runCli(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const terminal = options.types !== undefined;
  const stdin = new PassThrough();
  const stdout = collector(terminal);
  const stderr = collector(terminal);
  if (options.types === undefined) stdin.end(options.stdin ?? "");
  else stdin.write(options.types);
  const exitCode = await runCommandLine({
    argv,
    version: "0.0.0-test",
    env: options.env ?? {},
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
  return {
    exitCode,
    stdout: stdout.text(),
    stderr: stderr.text(),
    json: (): unknown => JSON.parse(stdout.text()),
  };
}

function collector(isTTY: boolean) {
  const chunks: string[] = [];
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 100 });
  stream.on("data", (chunk: Buffer) => chunks.push(chunk.toString()));
  return { stream, text: (): string => chunks.join("") };
}
