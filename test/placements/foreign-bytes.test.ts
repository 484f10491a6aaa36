/** What stands around a key: marks, hidden characters, line ends and lines of others. It stays, or the file is refused. */
import { execFileSync } from "node:child_process";
import { parseEnv } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Format } from "../../src/adapters/placements/formats/format.ts";
import { FORMATS, type FormatName } from "../../src/adapters/placements/formats/formats.ts";
import { LockstepError } from "../../src/core/errors.ts";
import { npmDotenv } from "../support/npm-dotenv.ts";
import { findServer, lacks } from "../support/servers.ts";

const MARK = "\uFEFF";
const set = (format: Format, text: string | null, value: string | null, key = "KEY") =>
  format.write(text, new Map([[key, value]]));

function expectRefused(format: Format, text: string, words: string, key = "KEY"): void {
  for (const work of [
    () => format.read(text, [key]),
    () => set(format, text, "new", key),
    () => set(format, text, null, key),
  ]) {
    expect(work, JSON.stringify(text)).toThrow(expect.objectContaining({ code: "TARGET_REFUSED" }));
    expect(work).toThrow(words);
  }
}

describe("a byte order mark", () => {
  it.each(["dotenv", "systemd"] as const)("before our key in a %s file is refused", (name) => {
    expectRefused(FORMATS[name], `${MARK}KEY=old\nB=1\n`, "byte order mark stands before KEY in line 1");
    expectRefused(FORMATS[name], `${MARK}  KEY='old'\n`, "byte order mark stands before KEY in line 1");
    expectRefused(FORMATS[name], `A=1\n${MARK}KEY=old\n`, "line 2 looks like an assignment of KEY");
  });

  it.each(["dotenv", "systemd"] as const)("before something else in a %s file stays", (name) => {
    for (const first of ["# top", "OTHER=1", "", "   "]) {
      const before = `${MARK}${first}\nKEY=old\n`;
      expect(FORMATS[name].read(before, ["KEY"]).get("KEY")).toBe("old");
      const after = set(FORMATS[name], before, "new");
      expect(after.replace(/KEY=.*/, "KEY=old")).toBe(before);
      expect(set(FORMATS[name], before, null)).toBe(`${MARK}${first}\n`);
    }
    const added = set(FORMATS[name], MARK, "new");
    expect(added.startsWith(`${MARK}\n`)).toBe(true);
    expect(FORMATS[name].read(added, ["KEY"]).get("KEY")).toBe("new");
  });

  it("of a shell or JSON file is refused; XML has it in its rules", () => {
    expectRefused(FORMATS.shell, `${MARK}# top\nexport KEY=old\n`, "byte order mark");
    expectRefused(FORMATS.json, `${MARK}{"KEY": "old"}`, "byte order mark");
    const plist = `${MARK}<plist version="1.0"><dict><key>EnvironmentVariables</key><dict><key>KEY</key><string>old</string></dict></dict></plist>`;
    expect(set(FORMATS.plist, plist, "new")).toBe(plist.replace("old", "new"));
  });
});

describe("what cannot be seen", () => {
  const HIDDEN = ["\u200b", "\u00a0", "\u2060", "\u3000"];

  it.each(["dotenv", "systemd", "shell"] as const)(
    "around our key in a %s file is refused with the line",
    (name) => {
      for (const hidden of HIDDEN) {
        for (const line of [`${hidden}KEY=old`, `K${hidden}EY=old`, `KEY${hidden}=old`]) {
          expectRefused(FORMATS[name], `A=1\n${line}\nB=2\n`, "line 2 looks like an assignment of KEY");
        }
      }
    },
  );

  it.each(["dotenv", "systemd"] as const)("around a value in a %s file is a part of it", (name) => {
    for (const hidden of HIDDEN) {
      expect(FORMATS[name].read(`KEY=${hidden}old\n`, ["KEY"]).get("KEY")).toBe(`${hidden}old`);
      expect(FORMATS[name].read(`KEY=old${hidden}\n`, ["KEY"]).get("KEY")).toBe(`old${hidden}`);
    }
  });

  it.each(["dotenv", "systemd", "shell", "json", "plist"] as const)(
    "UTF-16 without a mark in a %s file is refused",
    (name) => {
      const text = Buffer.from("KEY=old\nB=1\n", "utf16le").toString();
      for (const work of [() => FORMATS[name].read(text, ["KEY"]), () => set(FORMATS[name], text, "new")])
        expect(work).toThrow(expect.objectContaining({ code: "TARGET_REFUSED" }));
    },
  );
});

describe("line ends", () => {
  const two = "line one\nline two";

  it("of Windows around and inside of a dotenv value are the file's; the value has its own", () => {
    const before = "# top\r\nA=1\r\nKEY='line one\r\nline two'\r\nB=2\r\n";
    expect(FORMATS.dotenv.read(before, ["KEY"]).get("KEY")).toBe(two);
    expect(set(FORMATS.dotenv, before, two)).toBe(before);
    const after = set(FORMATS.dotenv, before, "x\ny\nz");
    expect(after).toBe("# top\r\nA=1\r\nKEY='x\ny\nz'\r\nB=2\r\n");
    expect(parseEnv(after)["KEY"]).toBe("x\ny\nz");
    expect(set(FORMATS.dotenv, after, null)).toBe("# top\r\nA=1\r\nB=2\r\n");
  });

  it("inside of a systemd value, where systemd drops the variable, are refused; outside they stay", () => {
    expectRefused(
      FORMATS.systemd,
      'A=1\r\nKEY="line one\r\nline two"\r\n',
      "KEY in line 2 holds a control character",
    );
    expect(set(FORMATS.systemd, "A=1\r\nKEY=old\r\nB=2\r\n", two)).toBe(`A=1\r\nKEY="${two}"\r\nB=2\r\n`);
  });

  it.each(["dotenv", "systemd"] as const)("of both kinds, or none at the end, stay in a %s file", (name) => {
    const format = FORMATS[name];
    const line = set(format, null, "v").trimEnd();
    expect(set(format, "A=1\r\nB=2\n", "v")).toBe(`A=1\r\nB=2\n${line}\n`);
    expect(set(format, "A=1\nB=2\r\n", "v")).toBe(`A=1\nB=2\r\n${line}\r\n`);
    expect(set(format, "A=1\nB=2", "v")).toBe(`A=1\nB=2\n${line}\n`);
    expect(set(format, "A=1\r\nKEY='old'", "v")).toBe(`A=1\r\n${line}`);
    expect(set(format, "A=1\nKEY=old", null)).toBe("A=1\n");
    // A lone carriage return ends a line too: what follows is somebody else's.
    expect(set(format, "KEY=old\rB=2\rC=3\r", null)).toBe("B=2\rC=3\r");
  });
});

describe("keys", () => {
  it.each(["dotenv", "systemd", "shell"] as const)(
    "that stand twice in a %s file: the last counts, and all are changed",
    (name) => {
      const before = "KEY=older\nB=1\nKEY=old\n";
      expect(FORMATS[name].read(before, ["KEY"]).get("KEY")).toBe("old");
      const after = set(FORMATS[name], before, "new");
      expect(after).not.toContain("old");
      expect(after.match(/KEY=/g)).toHaveLength(2);
      expect(set(FORMATS[name], before, null)).toBe("B=1\n");
    },
  );

  it.each(["dotenv", "systemd", "shell", "json", "plist"] as const)(
    "of another case in a %s file are others",
    (name) => {
      const empty = { json: "{}", plist: '<plist version="1.0"><dict></dict></plist>' } as Partial<
        Record<FormatName, string>
      >;
      const before = set(FORMATS[name], empty[name] ?? "", "theirs", "key");
      const after = set(FORMATS[name], before, "ours");
      expect(Object.fromEntries(FORMATS[name].read(after, ["KEY", "key", "Key"]))).toEqual({
        KEY: "ours",
        key: "theirs",
      });
      expect(FORMATS[name].read(set(FORMATS[name], after, null), ["key"]).get("key")).toBe("theirs");
    },
  );

  it("without a value are exported, and have none", () => {
    for (const name of ["dotenv", "shell"] as const) {
      expect(FORMATS[name].read("export KEY\nB=1\n", ["KEY"]).size).toBe(0);
      expect(FORMATS[name].read("export KEY=\nB=1\n", ["KEY"]).get("KEY")).toBe("");
      expect(set(FORMATS[name], "export KEY=\nB=1\n", "v")).toMatch(/^export KEY='?v'?\nB=1\n$/);
    }
  });
});

/** Lines that somebody else may have written, and that change nothing of ours. */
const foreign = fc.array(
  fc.constantFrom(
    "A=1",
    "export A=2 # why",
    "# KEY=x",
    "",
    "  ",
    "B='x\ny'",
    'C="q \\$z"',
    "key=lower",
    "D=a b",
    "E=\t",
    "export F",
  ),
  { maxLength: 5 },
);
const lineEnd = fc.constantFrom("\n", "\r\n");
const value = fc.string({
  unit: fc.constantFrom("a", "Z", " ", "=", "#", "é", "+", "/", ".", "\n", "'"),
  maxLength: 10,
});

describe.each(["dotenv", "systemd", "shell"] as const)("any %s file", (name) => {
  it("keeps every byte that is not ours, gives the value back, and is not changed twice", () => {
    const format = FORMATS[name];
    const written = fc.tuple(foreign, foreign, name === "shell" ? fc.constant("\n") : lineEnd, fc.boolean());
    fc.assert(
      fc.property(written, value, value, ([above, below, end, isEnded], first, second) => {
        const lines = (all: readonly string[]) =>
          all.map((one) => `${one.replace("D=a b", "D=ab")}${end}`).join("");
        let line: string;
        try {
          line = set(format, "", first).trimEnd();
          format.assertValue("KEY", second);
        } catch (error) {
          expect(error).toMatchObject({ code: "VALUE_NOT_REPRESENTABLE" });
          return;
        }
        const around = [lines(above), lines(below)] as const;
        const before = `${around[0]}${line}${below.length === 0 && !isEnded ? "" : `${end}${around[1]}`}`;
        const [head, tail] = [around[0], before.slice(around[0].length + line.length)];
        expect(format.read(before, ["KEY"]).get("KEY")).toBe(first);
        expect(set(format, before, first)).toBe(before);
        const after = set(format, before, second);
        expect(after.startsWith(head) && after.endsWith(tail)).toBe(true);
        expect(format.read(after, ["KEY"]).get("KEY")).toBe(second);
        expect(set(format, after, second)).toBe(after);
        expect(set(format, after, null)).toBe(head + tail.slice(tail === "" ? 0 : end.length));
        const added = set(format, lines(above), second);
        expect(added.startsWith(lines(above))).toBe(true);
        expect(set(format, added, null)).toBe(lines(above));
      }),
      { numRuns: 500 },
    );
  });
});

/** Texts of the characters that readers quarrel about. */
const quarrel = fc
  .array(
    fc.constantFrom(
      "KEY=",
      "A=",
      "export ",
      "'",
      '"',
      "`",
      "\\",
      "\n",
      "\n",
      "\r\n",
      " ",
      "a",
      "b==",
      "#",
      ":",
      "KEY",
      MARK,
      "\u200b",
      "-",
    ),
    { maxLength: 14 },
  )
  .map((pieces) => pieces.join(""));

/** What our reader says of it after a change of ours; null: refused. */
function changed(text: string): string | null {
  try {
    return set(FORMATS.dotenv, text, "it is\nnew");
  } catch (error) {
    if (error instanceof LockstepError) return null;
    throw error;
  }
}

describe("a dotenv file that was taken and changed", () => {
  const taken: string[] = [];

  it("holds the value for dotenv, whatever stood there", () => {
    fc.assert(
      fc.property(quarrel, (text) => {
        const after = changed(text);
        if (after === null) return;
        taken.push(after);
        expect(npmDotenv(after).get("KEY"), JSON.stringify(after)).toBe("it is\nnew");
      }),
      { numRuns: 3_000 },
    );
    expect(taken.length).toBeGreaterThan(500);
  });

  it.skipIf(lacks("python-dotenv"))("holds it for python-dotenv", () => {
    const script = `
import dotenv, io, json, logging, sys
logging.disable()
for text in json.load(sys.stdin):
  values = dotenv.dotenv_values(stream=io.StringIO(text, newline=None), interpolate=False)
  print(json.dumps(values.get("KEY")))
`;
    const seen = execFileSync(findServer("python-dotenv") ?? "", ["-c", script], {
      input: JSON.stringify(taken),
      encoding: "utf8",
      maxBuffer: 1 << 24,
    });
    for (const [index, line] of seen.trim().split("\n").entries())
      expect(JSON.parse(line), JSON.stringify(taken[index])).toBe("it is\nnew");
  });
});
