/** Values that go on over several lines without quotes: changed whole, or refused; never their first line alone. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LocalHost } from "../../src/adapters/hosts/local/local-host.ts";
import { standingsIn } from "../../src/adapters/placements/copies/standings.ts";
import { discoverFiles } from "../../src/adapters/placements/discover-files.ts";
import type { Format } from "../../src/adapters/placements/formats/format.ts";
import { FORMATS } from "../../src/adapters/placements/formats/formats.ts";
import { LockstepError } from "../../src/core/errors.ts";
import { childEnvironment } from "../../src/lib/child-environment.ts";
import { parseDotenv } from "../../src/sdk/source/parse-values.ts";
import { openSource } from "../../src/sdk/source/source.ts";
import type { SourceError } from "../../src/sdk/source/source-error.ts";

const BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
const PEM = [
  "-----BEGIN PRIVATE KEY-----",
  BODY,
  "Zm9vYmFyMTIzNDU2Nzg5MGFiY2RlZg==",
  "-----END PRIVATE KEY-----",
];
const ENCRYPTED = [PEM[0], "Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-256-CBC,0123", "", BODY, "Zm9v=", PEM[3]];
const OPENSSH = [
  "-----BEGIN OPENSSH PRIVATE KEY-----",
  `b3BlbnNzaC1rZXktdjEA${BODY.slice(0, 50)}`,
  "AAAAB3==",
  "-----END OPENSSH PRIVATE KEY-----",
];
const LINES = { dotenv: FORMATS.dotenv, systemd: FORMATS.systemd, shell: FORMATS.shell } as const;

interface Outcome {
  readonly read: string | LockstepError | undefined;
  readonly set: string | LockstepError;
  readonly removed: string | LockstepError;
}

function attempt<T>(work: () => T): T | LockstepError {
  try {
    return work();
  } catch (error) {
    if (error instanceof LockstepError) return error;
    throw error;
  }
}

function outcomeOf(format: Format, text: string): Outcome {
  return {
    read: attempt(() => format.read(text, ["KEY"]).get("KEY")),
    set: attempt(() => format.write(text, new Map([["KEY", "new"]]))),
    removed: attempt(() => format.write(text, new Map([["KEY", null]]))),
  };
}

function expectRefused(format: Format, text: string, line: number): void {
  for (const outcome of Object.values(outcomeOf(format, text))) {
    expect(outcome, text).toBeInstanceOf(LockstepError);
    const { code, message, hint } = outcome as LockstepError;
    expect(code).toBe("TARGET_REFUSED");
    expect(`${message} ${hint}`).toContain(`line ${line}`);
    // Of the value nothing is told.
    for (const piece of text.split("\n").flatMap((one) => one.split(/[ =]/)))
      if (piece.length > 8) expect(message).not.toContain(piece);
  }
}

const unquoted = (lines: readonly (string | undefined)[], head = "KEY=") =>
  `A=1\n${head}${lines.join("\n")}\nB=2\n`;

describe.each(Object.entries(LINES))("%s files", (name, format) => {
  it.each([
    ["a PEM", unquoted(PEM)],
    ["an encrypted PEM with headers", unquoted(ENCRYPTED)],
    ["an OpenSSH key", unquoted(OPENSSH)],
    ["a chain that begins after a blank", unquoted([` ${PEM[0]}`, ...PEM.slice(1)])],
  ])("refuse %s without quotes, with the number of its line", (_what, text) => {
    expectRefused(format, text, 2);
  });

  it("refuse an exported PEM without quotes", () => {
    expectRefused(format, unquoted(PEM, "export KEY="), 2);
  });

  it.each([
    ["base64 in lines", unquoted([BODY, BODY, "abcd"])],
    ["base64 whose second line is its last, with ==", unquoted([BODY, "Zm9vYg=="])],
    ["base64 whose second line is its last, with =", unquoted([BODY, "Zm9vYmE="])],
    ["a short text and ==", unquoted(["short", "Zm9vYg=="])],
    [
      "hexadecimal in lines",
      unquoted(["0123456789abcdef0123456789abcdef", "89abcdef0123456789abcdef01234567"]),
    ],
    ["a dash", unquoted(["first", "-second"])],
  ])("refuse %s, with the number of the line that follows", (_what, text) => {
    expectRefused(format, text, 3);
  });

  it.each([
    ["names of all kinds", `KEY=${BODY}\nDISPLAY=\nNODE_ENV=\nother=x\nC='a\nb'\n`],
    ["a remark", "KEY=old\n# why not=\n\nB=2\n"],
    ["hexadecimal and an empty name", `KEY=${"0123456789abcdef".repeat(4)}\nName1=\n`],
    ["nothing", "KEY=old"],
    ["an export", "KEY=old\nexport KEY\nB=2\n"],
  ])("take a value of one line before %s", (_what, text) => {
    if (name !== "shell" && text.includes("export")) return;
    const { read, set, removed } = outcomeOf(format, text);
    expect(read).toBe(/^KEY=(.*)$/m.exec(text)?.[1]);
    expect(format.read(String(set), ["KEY"]).get("KEY")).toBe("new");
    expect(String(removed)).not.toContain("KEY=");
    expect(String(set)).toContain(text.split("\n").slice(1).join("\n").trimEnd());
  });

  it("change a quoted value of many lines whole", () => {
    for (const quote of ['"', "'"]) {
      const text = `A=1\nKEY=${quote}${PEM.join("\n")}${quote}\nB=2\n`;
      const { read, set, removed } = outcomeOf(format, text);
      expect(read).toBe(PEM.join("\n"));
      for (const after of [set, removed]) {
        expect(after).not.toBeInstanceOf(LockstepError);
        for (const line of PEM) expect(after).not.toContain(line);
      }
      expect(removed).toBe("A=1\nB=2\n");
    }
  });

  it("refuse a quote that does not close, also of another key and where ours is not there", () => {
    for (const text of [
      `A=1\nKEY="${PEM.join("\n")}\nB=2\n`,
      `A=1\nX='${PEM.join("\n")}\nKEY=x\n`,
      'A=1\nX="open\nB=2\n',
    ])
      for (const outcome of Object.values(outcomeOf(format, text)))
        expect(outcome).toBeInstanceOf(LockstepError);
  });

  it("leave no piece of an old value, however its base64 is wrapped", () => {
    const wrapped = fc
      .tuple(
        fc.uint8Array({ minLength: 50, maxLength: 200 }),
        fc.constantFrom(64, 76),
        fc.constantFrom("", "export "),
        fc.boolean(),
      )
      .map(([bytes, width, head, isPem]) => {
        const lines =
          Buffer.from(bytes)
            .toString("base64")
            .match(new RegExp(`.{1,${width}}`, "g")) ?? [];
        return { head, lines: isPem ? [PEM[0] ?? "", ...lines, PEM[3] ?? ""] : lines };
      })
      // What may as well be hexadecimal, and a name in capitals, is taken for that.
      .filter(
        ({ lines }) => lines.length > 1 && !lines.some((one) => /^[A-Z0-9]{7,}=?$|^[0-9a-fA-F]+$/.test(one)),
      );
    fc.assert(
      fc.property(wrapped, ({ head, lines }) => {
        const { read, set, removed } = outcomeOf(format, unquoted(lines, `${head}KEY=`));
        expect(read).not.toBe(lines[0]);
        for (const after of [set, removed]) {
          if (after instanceof LockstepError) continue;
          for (const line of lines.filter((one) => one.length > 8)) expect(after).not.toContain(line);
        }
      }),
    );
  });
});

describe("what one format has and others have not", () => {
  it.each([
    ["dotenv", "KEY=old\\\nmore\nB=2\n", 1],
    ["dotenv", "KEY=old\nuser: bob\nB=2\n", 2],
    ["dotenv", "KEY=`old\nB=2\n`\n", 1],
    ["dotenv", "A=`old\nKEY=2\n`\n", 2],
    ["dotenv", "KEY:\nold\n", 1],
    ["dotenv", "declare -x KEY=old\n", 1],
    ["dotenv", "'KEY'=old\n", 1],
    ["dotenv", "KEY='old'\nexport KEY\n", 2],
    ["dotenv", "A=1\nother:\nKEY=old\n", 2],
    ["systemd", "A=1\nexport KEY=old\n", 2],
    ["systemd", "A=1\nKEY: old\n", 2],
    ["systemd", 'A=1\nKEY="old\r\nmore"\r\n', 2],
    ["shell", `KEY=old ${BODY}\n`, 1],
    ["shell", "A=1\nKEY=first second\n", 2],
  ] as const)("%s files refuse %j", (name, text, line) => {
    expectRefused(LINES[name], text, line);
  });

  it.each([
    [`KEY=${BODY}\n${BODY}\nZm9v\n`, 2],
    [`KEY=${BODY}\nZm9vYg==\n`, 2],
    [`A=1\nKEY=${PEM[0]}\n${BODY}\n`, 2],
    ["A=1\n\u200bKEY=old\n", 2],
  ])("env-file files refuse %j", (text, line) => {
    expectRefused(FORMATS["env-file"], text, line);
  });

  it("an env-file's names without values stay, and a value like the end of a text is refused", () => {
    const before = "KEY=old\nHOME\nLONG_NAME_OF_A_VARIABLE\nB=2\n";
    expect(FORMATS["env-file"].write(before, new Map([["KEY", "new"]]))).toBe(before.replace("old", "new"));
    for (const value of ["=", PEM[0] ?? ""])
      expect(() => FORMATS["env-file"].assertValue("KEY", value)).toThrow(
        expect.objectContaining({ code: "VALUE_NOT_REPRESENTABLE" }),
      );
  });

  it("a yaml-like dotenv file is taken line by line", () => {
    const { read, set } = outcomeOf(FORMATS.dotenv, "A: 1\nKEY: old\nB: 2\n");
    expect(read).toBe("old");
    expect(set).toBe("A: 1\nKEY='new'\nB: 2\n");
  });

  it.each([
    ["systemd", "KEY=one\\\n  two\\\n# no remark\nB=2\n", "one  two# no remark"],
    ["shell", "KEY=one\\\ntwo\nB=2\n", "onetwo"],
  ] as const)("%s files: joined lines are one value", (name, text, value) => {
    const { read, set, removed } = outcomeOf(LINES[name], text);
    expect(read).toBe(value);
    expect(set).toMatch(/^(?:export )?KEY=["']new["']\nB=2\n$/);
    expect(removed).toBe("B=2\n");
  });

  it("a shell's here-document is no value of ours", () => {
    const text = `cat >/dev/null <<EOF\nKEY=${PEM.join("\n")}\nEOF\nexport KEY='old'\n`;
    const { read, set } = outcomeOf(FORMATS.shell, text);
    expect(read).toBe("old");
    expect(set).toBe(text.replace("'old'", "'new'"));
  });

  it("lines that no reader takes for ours stay as they are", () => {
    const before = `X=${PEM.join("\n")}\nC='c'\nset -a\nKEY=old\nset +a\n`;
    expect(FORMATS.dotenv.write(before, new Map([["KEY", "new"]]))).toBe(before.replace("=old", "=new"));
  });
});

describe("who looks around", () => {
  const never = new AbortController().signal;

  it("finds the other keys of a file, and tells why one cannot be read", async () => {
    const directory = mkdtempSync(join(tmpdir(), "lockstep-lines-"));
    try {
      const path = join(directory, "env");
      writeFileSync(path, `TLS_KEY=${PEM.join("\n")}\nTOKEN=known\nOTHER=x\n`, { mode: 0o600 });
      const files = [{ path, format: "dotenv", mode: "0600" } as const];
      const interest = {
        keys: new Set(["TLS_KEY"]),
        knows: (value: { reveal(): string }) => ["known", PEM[0]].includes(value.reveal()),
      };
      const { found, unseen } = await discoverFiles(
        new LocalHost({ environment: childEnvironment(process.env, { HOME: directory }) }),
        files,
        () => "place",
        interest,
        never,
      );
      expect(found.map(({ key }) => key)).toEqual(["TOKEN"]);
      expect(unseen).toEqual([
        { name: path, reason: expect.stringContaining("TLS_KEY in line 1 begins a block") },
      ]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it("takes a pasted block for a copy of the whole key, and no first line for a value", () => {
    const standings = standingsIn("/srv/.env.bak", unquoted(PEM));
    expect(standings.filter(({ key }) => key !== null).map(({ key }) => key)).toEqual(["A", "B"]);
    expect(standings.find(({ value }) => value.reveal() === PEM.join("\n"))).toMatchObject({
      key: null,
      line: 2,
    });
  });
});

describe("an application's own reader", () => {
  const names = { primary: "KEY", fallback: "KEY_FALLBACK" };

  it("refuses what the format refuses of lines that follow, with the same line", () => {
    const line = fc.constantFrom(
      BODY,
      "Zm9vYg==",
      "Zm9vYmE=",
      "B=2",
      "",
      "# remark",
      "word",
      "export B",
      "user: bob",
      "set +a",
      `${PEM[0]}`,
    );
    fc.assert(
      fc.property(line, fc.array(line, { maxLength: 4 }), (value, following) => {
        const text = `A=1\nKEY=${value}\n${following.join("\n")}\n`;
        const theirs = attempt(() => FORMATS.dotenv.read(text, ["KEY"]).get("KEY"));
        const ours = parseDotenv(text, names);
        if (theirs instanceof LockstepError) expect(ours, text).toMatchObject({ name: "KEY" });
        if ("line" in ours) expect((theirs as LockstepError).message, text).toContain(`line ${ours.line}`);
        else expect(ours.primary, text).toBe(theirs);
      }),
    );
  });

  it("keeps the last good values, and tells the line without the value", () => {
    const directory = mkdtempSync(join(tmpdir(), "lockstep-lines-"));
    const file = join(directory, ".env");
    writeFileSync(file, unquoted(PEM));
    const told: SourceError[] = [];
    const source = openSource({
      name: "KEY",
      source: { file, format: "dotenv" },
      onSourceError: (error) => told.push(error),
    });
    try {
      expect(source.read().primary).toBeUndefined();
      expect(told.map(({ code }) => code)).toEqual(["SOURCE_INVALID"]);
      expect(told[0]?.message).toContain("line 2");
      expect(told[0]?.message).not.toContain(BODY);
    } finally {
      source.close();
      rmSync(directory, { recursive: true });
    }
  });
});
