/** What a person hands over as a value, and what came along unseen. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import type { Cli } from "../../src/edges/cli/cli.ts";
import { readKeyFile } from "../../src/edges/cli/init/key-files.ts";
import { readValue } from "../../src/edges/cli/value-input.ts";

const MARK = "\uFEFF";
const SPACE = "\u200b";

async function given(bytes: string | Uint8Array, exact = false): Promise<{ value: string; notes: string }> {
  const notes: string[] = [];
  const cli = {
    stdin: Object.assign(Readable.from([Buffer.from(bytes)]), { isTTY: false }),
    output: { note: (line: string) => notes.push(line) },
    surroundings: { workingDirectory: "/" },
    interrupted: new AbortController().signal,
  } as unknown as Cli;
  const value = await readValue(cli, { exact });
  return { value: value.reveal(), notes: notes.join("\n") };
}

describe("a value from elsewhere", () => {
  it.each([
    ["a byte order mark", `${MARK}canary`, "canary", "a byte order mark at the beginning was dropped"],
    ["a mark and a line break", `${MARK}canary\r\n`, "canary", "one final line break was dropped"],
    ["the carriage return of a Windows pipe", "canary\r", "canary", "one final line break was dropped"],
    ["Windows line ends inside", "canary\r\ntwo", "canary\r\ntwo", "has Windows line ends, and keeps them"],
  ])("loses %s with a note, and keeps it with --exact", async (_what, text, value, note) => {
    const meant = await given(text);
    expect(meant.value).toBe(value);
    expect(meant.notes).toContain(note);
    expect(meant.notes).not.toContain("canary");
    const exact = await given(text, true);
    expect(exact).toEqual({ value: text, notes: "" });
  });

  it.each([
    ["begins with a character that cannot be seen (U+200B)", `${SPACE}canary`],
    ["ends with a character that cannot be seen (U+00A0)", "canary\u00a0\n"],
    ["begins with a byte order mark (U+FEFF)", `${MARK}${MARK}canary`],
    ["ends with a character that cannot be seen (U+E0001)", "canary\u{e0001}"],
    ["ends with a carriage return", "canary\r\r\n"],
    ["is UTF-16", Buffer.from("canary\n", "utf16le")],
    ["is UTF-16", Buffer.from("canary\n", "utf16le").swap16()],
  ])("that %s is refused, and taken with --exact", async (what, bytes) => {
    await expect(given(bytes)).rejects.toMatchObject({
      code: "VALUE_INVALID",
      message: expect.stringContaining(what),
      hint: expect.stringContaining("--exact"),
    });
    await expect(given(bytes)).rejects.not.toThrow("canary");
    expect((await given(bytes, true)).value).toBe(Buffer.from(bytes).toString());
  });

  it("in UTF-16 with its mark is refused with how to save it", async () => {
    for (const bytes of [
      Buffer.from(`${MARK}canary`, "utf16le"),
      Buffer.from(`${MARK}canary`, "utf16le").swap16(),
    ])
      await expect(given(bytes)).rejects.toMatchObject({
        code: "VALUE_INVALID",
        hint: expect.stringContaining("UTF-16"),
      });
    await expect(given(MARK)).rejects.toMatchObject({ message: expect.stringContaining("it is empty") });
  });

  it("typed at a prompt is looked at too", async () => {
    const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined });
    const cli = {
      stdin,
      output: { ask: () => stdin.write(`canary${SPACE}\r`) },
      interrupted: new AbortController().signal,
    };
    await expect(readValue(cli as unknown as Cli, {})).rejects.toMatchObject({ code: "VALUE_INVALID" });
  });
});

describe("a private key's file", () => {
  it("is read without a byte order mark; in UTF-16 it is refused in words", async () => {
    const directory = mkdtempSync(join(tmpdir(), "lockstep-key-"));
    const pem = "-----BEGIN PRIVATE KEY-----\r\nMC4=\r\n-----END PRIVATE KEY-----\r\n";
    try {
      const path = join(directory, "id");
      writeFileSync(path, `${MARK}${pem}`);
      expect((await readKeyFile(path, "id")).content.reveal()).toBe(pem);
      writeFileSync(path, Buffer.from(`${MARK}${pem}`, "utf16le"));
      await expect(readKeyFile(path, "id")).rejects.toMatchObject({
        message: expect.stringContaining("is not UTF-8 text"),
      });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
