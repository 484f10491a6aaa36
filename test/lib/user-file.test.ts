import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, describe, expect, it } from "vitest";
import {
  readStream,
  readUserFile,
  readUserFileSync,
  textOf,
  UnreadableFile,
} from "../../src/lib/user-file.ts";

const directory = mkdtempSync(join(tmpdir(), "lockstep-user-file-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const bounds = { maxBytes: 1024 };
const at = (name: string): string => join(directory, name);

async function troubleOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => "was read",
    (caught: unknown) => caught,
  );
  return error instanceof UnreadableFile ? error.trouble : String(error);
}

function troubleOfSync(path: string): string {
  try {
    readUserFileSync(path, bounds);
    return "was read";
  } catch (error) {
    return error instanceof UnreadableFile ? error.trouble : String(error);
  }
}

function named(name: string): string {
  execFileSync("mkfifo", [at(name)]);
  return at(name);
}

describe("a file that somebody names", () => {
  it("gives its bytes, asked for either way", async () => {
    writeFileSync(at("plain"), "content\n");
    expect((await readUserFile(at("plain"), bounds)).toString()).toBe("content\n");
    expect(readUserFileSync(at("plain"), bounds).toString()).toBe("content\n");
  });

  it("may be as large as allowed, and no byte larger", async () => {
    writeFileSync(at("full"), "x".repeat(1024));
    writeFileSync(at("over"), "x".repeat(1025));
    expect(await readUserFile(at("full"), bounds)).toHaveLength(1024);
    expect(await troubleOf(readUserFile(at("over"), bounds))).toBe("too-large");
    expect(troubleOfSync(at("over"))).toBe("too-large");
  });

  it("of five gigabytes is refused before anything of it is read", async () => {
    writeFileSync(at("huge"), "");
    truncateSync(at("huge"), 5 * 1024 ** 3);
    expect(await troubleOf(readUserFile(at("huge"), bounds))).toBe("too-large");
    expect(troubleOfSync(at("huge"))).toBe("too-large");
  });

  it.runIf(process.platform === "linux")("whose size says nothing is bounded by what is read", async () => {
    expect(await troubleOf(readUserFile("/proc/self/smaps", bounds))).toBe("too-large");
    expect(troubleOfSync("/proc/self/smaps")).toBe("too-large");
  });

  it("that is a device, a directory, a socket, a circle of links or nothing is refused by what it is", async () => {
    mkdirSync(at("directory"));
    symlinkSync("circle", at("circle"));
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(at("socket"), resolve));
    const cases = {
      "/dev/zero": "special",
      "/dev/null": "special",
      [at("directory")]: "directory",
      [at("socket")]: "special",
      [at("circle")]: "links",
      [at("nothing")]: "missing",
      [join(at("plain"), "below")]: "missing",
    };
    for (const [path, trouble] of Object.entries(cases)) {
      expect([path, await troubleOf(readUserFile(path, bounds))]).toEqual([path, trouble]);
      expect([path, troubleOfSync(path)]).toEqual([path, trouble]);
    }
    await new Promise((resolve) => server.close(resolve));
  });

  it("quotes neither name nor content in its words", async () => {
    const error: unknown = await readUserFile(at("over"), bounds).catch((caught: unknown) => caught);
    expect(String(error)).toBe("UnreadableFile: is larger than 1 KiB");
  });
});

describe("a pipe that somebody names", () => {
  it("is read to its end", async () => {
    const path = named("talking");
    const reading = readUserFile(path, bounds);
    const writer = await open(path, "w");
    await writer.write("over ");
    await writer.write("a pipe");
    await writer.close();
    expect((await reading).toString()).toBe("over a pipe");
  });

  it("to which nobody writes ends with the abort", async () => {
    const stop = new AbortController();
    const reading = troubleOf(readUserFile(named("silent"), bounds, stop.signal));
    stop.abort();
    expect(await reading).toBe("interrupted");
  });

  it("that never ends is bounded", async () => {
    const path = named("endless");
    const reading = troubleOf(readUserFile(path, bounds));
    const writer = await open(path, "w");
    await writer.write("x".repeat(4096));
    expect(await reading).toBe("too-large");
    await writer.close();
  });
});

describe("the standard input", () => {
  it("is read to its end", async () => {
    const stream = new PassThrough();
    stream.end("typed");
    expect((await readStream(stream, bounds)).toString()).toBe("typed");
  });

  it("is bounded, and ends with the abort", async () => {
    const endless = new PassThrough();
    endless.write("x".repeat(4096));
    expect(await troubleOf(readStream(endless, bounds))).toBe("too-large");
    const stop = new AbortController();
    const silent = new PassThrough();
    const reading = troubleOf(readStream(silent, bounds, stop.signal));
    stop.abort();
    expect(await reading).toBe("interrupted");
    expect(silent.destroyed).toBe(true);
  });
});

describe("text", () => {
  it("is strict UTF-8; a byte order mark is dropped unless it is kept", () => {
    const marked = Buffer.from("\ufefftext");
    expect(textOf(marked)).toBe("text");
    expect(textOf(marked, { keepMark: true })).toBe("\ufefftext");
    expect(() => textOf(Buffer.from([0xff, 0xfe, 0x61, 0x00]))).toThrow("is not UTF-8 text");
  });
});
