import { execFileSync } from "node:child_process";
import { createPrivateKey } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseEnv } from "node:util";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { Format } from "../../src/adapters/placements/formats/format.ts";
import { FORMATS, formatFor } from "../../src/adapters/placements/formats/formats.ts";
import { LockstepError } from "../../src/core/errors.ts";
import { lacks } from "../support/servers.ts";

const nasty = fc.string({
  unit: fc.constantFrom(
    "a",
    "Z",
    "9",
    " ",
    "\t",
    "\n",
    "\r",
    '"',
    "'",
    "`",
    "\\",
    "$",
    "#",
    "=",
    ";",
    "{",
    "}",
    "%",
    "é",
    "🔑",
    "\u0000",
    "\u001b",
    "n",
    "\ud800",
  ),
  maxLength: 12,
});

/** What a format's file looks like before anything is in it; null where we make the file. */
const EMPTY: Readonly<Record<string, string>> = {
  plist: '<?xml version="1.0"?>\n<plist version="1.0">\n<dict>\n</dict>\n</plist>\n',
};

/** The value as this format would hold it in a new file, or null when it refuses. */
function writeOne(format: Format, key: string, value: string, before: string | null = null): string | null {
  try {
    format.assertValue(key, value);
  } catch (error) {
    if (error instanceof LockstepError && error.code === "VALUE_NOT_REPRESENTABLE") {
      if (value.length > 4) expect(error.message).not.toContain(value);
      return null;
    }
    throw error;
  }
  return format.write(before ?? EMPTY[format.name] ?? null, new Map([[key, value]]));
}

/** Of a file that is one value, the newline at its end may be the file's or the value's. */
function readings(format: Format, text: string): readonly (string | null | undefined)[] {
  return [format.read(text, ["KEY"]).get("KEY"), format.alsoReads?.(text)];
}

const PEM = "-----BEGIN KEY-----\nabc\n-----END KEY-----";
/** What some reader of the format cannot hold, or reads as something else. */
const NOT_FOR: Readonly<Record<string, readonly string[]>> = {
  dotenv: ["${NOT}EXPANDED"],
  "env-file": [PEM, "postgres://u:p%40ss@db:5432/app?x=y#z"],
};

describe.each(Object.values(FORMATS))("$name", (format) => {
  it("gives every value that it accepts back unchanged, and writing it again changes nothing", () => {
    fc.assert(
      fc.property(nasty, nasty, (first, second) => {
        const one = writeOne(format, "KEY", first);
        if (one === null) return;
        expect(readings(format, one)).toContain(first);
        expect(format.unclear?.(one, "KEY") ?? null).toBeNull();
        const two = writeOne(format, "KEY", second, one);
        if (two === null) return;
        expect(readings(format, two)).toContain(second);
        expect(format.unclear?.(two, "KEY") ?? null).toBeNull();
        expect(format.write(two, new Map([["KEY", second]]))).toBe(two);
      }),
      { numRuns: 2_000 },
    );
  });

  it("accepts what secrets usually are", () => {
    for (const value of [
      "c2VjcmV0LXZhbHVl",
      "a+b/c==",
      "p@ss w0rd!",
      "postgres://u:p%40ss@db:5432/app?x=y#z",
      PEM,
      "${NOT}EXPANDED",
      "$(date)",
      "it's",
    ]) {
      const isHeld = NOT_FOR[format.name]?.includes(value) !== true;
      expect(writeOne(format, "KEY", value) !== null, value).toBe(isHeld);
    }
  });

  it("says nothing of a key that is not there, and removing it changes nothing", () => {
    const text = writeOne(format, "OTHER", "x") ?? "";
    if (format.name === "raw") return;
    expect(format.read(text, ["KEY"]).has("KEY")).toBe(false);
    expect(format.write(text, new Map([["KEY", null]]))).toBe(text);
  });
});

describe("dotenv files", () => {
  const format = FORMATS.dotenv;

  it("are read alike by Node and by a shell, whatever value was accepted", () => {
    fc.assert(
      fc.property(nasty, (value) => {
        const text = writeOne(format, "KEY", value);
        if (text === null) return;
        expect(parseEnv(text)["KEY"]).toBe(value);
      }),
      { numRuns: 1_000 },
    );
    const values = [
      "$(date) `id` $HOME",
      'say "hi" # not a comment',
      "it's",
      "two\nlines",
      "back\\slash n",
      "",
    ];
    for (const value of values) {
      const text = writeOne(format, "KEY", value) ?? "";
      const seen = execFileSync("sh", ["-c", `${text}\nprintf %s "$KEY"`], { encoding: "utf8" });
      expect(seen).toBe(value);
    }
  });

  it("keeps foreign lines byte for byte", () => {
    const before = "# top\r\nexport A=1 # one\r\n\r\n  KEY = old # why\r\nB='x\ny'\r\nlast=1";
    const after = format.write(
      before,
      new Map([
        ["KEY", "new"],
        ["ADDED", "z"],
      ]),
    );
    expect(after).toBe(
      "# top\r\nexport A=1 # one\r\n\r\n  KEY=new # why\r\nB='x\ny'\r\nlast=1\r\nADDED='z'\r\n",
    );
    expect(format.write(after, new Map([["ADDED", null]]))).toBe(
      "# top\r\nexport A=1 # one\r\n\r\n  KEY=new # why\r\nB='x\ny'\r\nlast=1\r\n",
    );
  });

  it.each([
    ["export KEY=old\n", "export KEY=new\n"],
    ["  export\tKEY=old\r\n", "  export\tKEY=new\r\n"],
    ['export KEY = "old" # ours\n', "export KEY='new' # ours\n"],
    ["export KEY=old\nX=1 # it's\n", "export KEY=new\nX=1 # it's\n"],
    // To a shell these are no remarks: a piece of the older value must not stay.
    ["KEY=old#older\n", "KEY=new\n"],
    ["KEY='old' # it's 'older'\n", "KEY='new'\n"],
    ["export KEY: old\n", "export KEY=new\n"],
    ["export KEY=\n", "export KEY=new\n"],
  ])("replaces the value of %j and keeps what its owner wrote around it", (before, after) => {
    expect(format.write(before, new Map([["KEY", "new"]]))).toBe(after);
    expect(format.read(after, ["KEY"]).get("KEY")).toBe("new");
    expect(format.write(after, new Map([["KEY", null]]))).not.toContain("KEY");
  });

  it("leaves no older copy of a key that stands there twice", () => {
    expect(format.write("KEY=a\nX=1\nKEY=b\n", new Map([["KEY", "c"]]))).toBe("KEY=c\nX=1\nKEY=c\n");
    expect(format.read("KEY=a\nX=1\nKEY=b\n", ["KEY"]).get("KEY")).toBe("b");
  });

  it("does not take a key inside a quoted text for an assignment", () => {
    const before = "A='\nKEY=inside\n'\n";
    expect(format.read(before, ["KEY"]).size).toBe(0);
    expect(format.write(before, new Map([["KEY", "x"]]))).toBe(`${before}KEY='x'\n`);
  });

  it.each(["A B", "1A", "A-B", "", "A=B", "É"])("refuses the key %j", (key) => {
    expect(() => format.assertKey(key)).toThrow(expect.objectContaining({ code: "KEY_INVALID" }));
  });
});

/** The generator prints `KEY=plain` or `KEY="…"` with C escapes. */
function printed(lines: string, key: string): string | undefined {
  const text = new RegExp(`^${key}=(.*)$`, "m").exec(lines)?.[1];
  if (text?.startsWith('"') !== true) return text;
  const named: Readonly<Record<string, string>> = { n: "\n", t: "\t" };
  return text.slice(1, -1).replace(/\\(.)/g, (_, char: string) => named[char] ?? char);
}

describe("systemd environment files", () => {
  const format = FORMATS.systemd;
  it("reads what systemd.exec(5) describes: quotes, escapes, continuations, comments, the last assignment", () => {
    const text = [
      "=='",
      "A=in a quote'",
      "; c",
      "# c \\",
      "A=in comment",
      "A=plain text  ",
      "B='single \\ $x'",
      "no assignment",
      'C="a\\"b\\\\c\\$d"',
      "D=one\\",
      "two",
      "E='x' \"y\" z'\"",
      "F=it's",
      "A=last",
    ].join("\n");
    expect(Object.fromEntries(format.read(text, ["A", "B", "C", "D", "E", "F"]))).toEqual({
      A: "last",
      B: "single \\ $x",
      C: 'a"b\\c$d',
      D: "onetwo",
      E: "xyz'\"",
      F: "it's",
    });
  });

  it("keeps foreign lines byte for byte", () => {
    const before = "# c\nA = 'keep'\n\nKEY=old\nB=\"multi\nline\"";
    expect(format.write(before, new Map([["KEY", 'n"$']]))).toBe(
      '# c\nA = \'keep\'\n\nKEY="n\\"\\$"\nB="multi\nline"',
    );
    expect(format.write(before, new Map([["KEY", null]]))).toBe("# c\nA = 'keep'\n\nB=\"multi\nline\"");
  });

  // environment.d(5) has the same parser; it expands `$` afterwards, so that one is left to the vectors above.
  const reader = "/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator";
  if (existsSync(reader)) {
    it("are read as systemd's own parser reads them", () => {
      const home = mkdtempSync(join(tmpdir(), "lockstep-systemd-"));
      mkdirSync(join(home, "environment.d"));
      const piece = fc.string({
        unit: fc.constantFrom("a", "b", " ", "\t", "'", '"', "\\", "=", "#", ";", "\n"),
        maxLength: 10,
      });
      try {
        fc.assert(
          fc.property(piece, nasty, (foreign, value) => {
            let text: string;
            let ours: ReadonlyMap<string, string>;
            try {
              text = format.write(`A=${foreign}\nKEY=old\n`, new Map([["KEY", value.replaceAll("$", "")]]));
              ours = format.read(text, ["A", "KEY"]);
            } catch (error) {
              expect(error).toBeInstanceOf(LockstepError);
              return;
            }
            writeFileSync(join(home, "environment.d", "1.conf"), text);
            const env = { XDG_CONFIG_HOME: home, PATH: "/usr/bin:/bin" };
            const seen = execFileSync(reader, { env, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
            // It prints no empty variables.
            for (const key of ["A", "KEY"]) expect(printed(seen, key) ?? "", text).toBe(ours.get(key) ?? "");
          }),
          { numRuns: 300 },
        );
      } finally {
        rmSync(home, { recursive: true });
      }
    });
  }

  it("refuses a file whose quotes do not close rather than guessing", () => {
    expect(() => format.write('A="open\nKEY=x\n', new Map([["KEY", "y"]]))).toThrow(
      expect.objectContaining({ code: "TARGET_REFUSED" }),
    );
  });
});

describe("JSON files", () => {
  const format = FORMATS.json;
  const json = fc.json({ maxDepth: 3 });

  it("changes the one value and no other byte, wherever it stands", () => {
    const before =
      '{\n\t"a": [1, {"k": "x"}],\n\t"gateway": { "auth": {"token" : "old"}, "port":1e3 },\n\t"z": "\\u00e9"\n}\n';
    const after = format.write(before, new Map([["gateway.auth.token", 'n"w']]));
    expect(after).toBe(before.replace('"old"', '"n\\"w"'));
    expect(format.read(after, ["gateway.auth.token", "z", "gateway.port", "missing.x"])).toEqual(
      new Map([
        ["gateway.auth.token", 'n"w'],
        ["z", "é"],
        ["gateway.port", "1e3"],
      ]),
    );
  });

  it("setting and removing in any JSON object keeps it JSON, and keeps everything else", () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string(),
          json.map((text) => JSON.parse(text) as unknown),
        ),
        fc.string(),
        fc.constantFrom(undefined, 2, "\t"),
        (object, value, indent) => {
          const { added: _added, ...rest } = object as Record<string, unknown>;
          const before = JSON.stringify(rest, null, indent);
          if (!(Buffer.from(value).toString() === value)) return;
          const after = format.write(before, new Map([["added", value]]));
          expect(JSON.parse(after)).toEqual({ ...(JSON.parse(before) as object), added: value });
          expect(JSON.parse(format.write(after, new Map([["added", null]])))).toEqual(JSON.parse(before));
        },
      ),
    );
  });

  it("makes missing parents, in a new file too", () => {
    expect(JSON.parse(format.write(null, new Map([["a.b.c", "x"]])))).toEqual({ a: { b: { c: "x" } } });
    expect(JSON.parse(format.write('{"a": {"z": 1}}', new Map([["/a/b.c/d~1e", "x"]])))).toEqual({
      a: { z: 1, "b.c": { "d/e": "x" } },
    });
  });

  it.each([
    ["{", "a"],
    ['{"a": 1, "a": 2}', "b"],
    ['{"a": [1]}', "a.b"],
    ['{"a": {"b": 1}}', "a"],
    ["[]", "a"],
    ['{"a": {"b": [{"c": 1, "c": 2}]}} // remark', "b"],
    ["{,}", "a"],
    ["{'a': 1}", "a"],
    ["{a: 1}", "a"],
    ['{"a": 1} /* open', "a"],
    ['{"a": "// no remark}', "a"],
    [`${"[".repeat(5_000)}${"]".repeat(5_000)}`, "a"],
  ])("refuses to edit %j at %s", (text, key) => {
    expect(() => format.write(text, new Map([[key, "x"]]))).toThrow(
      expect.objectContaining({ code: "TARGET_REFUSED" }),
    );
  });
});

describe("JSON files with remarks and last commas", () => {
  const format = FORMATS.json;
  const CONFIG = `// the gateway
{
  "port": 1.10, // as written
  "big": 12345678901234567890, /* a
  long remark */
  "url": "http://x/*y*/", // no remark in it
  "auth": {
    // ours
    "token": "old", // keep
  },
  "list": [1e3, 2,], // last
}
`;

  it("keep both, and every other byte", () => {
    const after = format.write(CONFIG, new Map([["auth.token", 'n"w']]));
    expect(after).toBe(CONFIG.replace('"old"', '"n\\"w"'));
    expect(Object.fromEntries(format.read(after, ["auth.token", "port", "big", "url"]))).toEqual({
      "auth.token": 'n"w',
      port: "1.10",
      big: "12345678901234567890",
      url: "http://x/*y*/",
    });
    expect(format.keys?.(CONFIG)).toEqual(["port", "big", "url", "auth.token", "list"]);
  });

  it.each([
    ['{"a": 1} // end\n', '{"a": 1, "k": "v"} // end\n'],
    ['{"a": 1 // one\n}', '{"a": 1, // one\n  "k": "v"\n}'],
    ['{\n  "a": 1 // one\n}\n', '{\n  "a": 1, // one\n  "k": "v"\n}\n'],
    [
      '{\r\n  "a": 1, // one\r\n  // end\r\n}\r\n',
      '{\r\n  "a": 1, // one\r\n  "k": "v",\r\n  // end\r\n}\r\n',
    ],
    ['{\n  "a": 1, /* one */ // 1\n}', '{\n  "a": 1, /* one */ // 1\n  "k": "v",\n}'],
    ["{ // nothing\n}", '{ // nothing\n  "k": "v"\n}'],
    ['{\n  "a": 1,\n}', '{\n  "a": 1,\n  "k": "v",\n}'],
  ])("%j gets a key in its manner, and is as it was without it", (before, after) => {
    expect(format.write(before, new Map([["k", "v"]]))).toBe(after);
    expect(format.write(after, new Map([["k", "v"]]))).toBe(after);
    const gone = format.write(after, new Map([["k", null]]));
    expect(gone.replaceAll(/[ \r\n]/g, "")).toBe(before.replaceAll(/[ \r\n]/g, ""));
    expect(format.read(gone, ["k"]).size).toBe(0);
  });

  it("are not written anew for another way to write the same text", () => {
    const before = '{"k": "caf\\u00e9"}';
    expect(format.write(before, new Map([["k", "café"]]))).toBe(before);
  });

  it("any of them keep their remarks, and give the value back", () => {
    const remark = fc.constantFrom("", " ", "\n", "// r,}\n", "/* r\n} */", "\t", ' // "q\n');
    const blank = fc.constantFrom("", " ");
    const member = fc.tuple(
      remark,
      fc.constantFrom('"b"', '"c"', '"k"', '"d"'),
      blank,
      fc.constantFrom("1.10", '"x,}"', "[1,]", '{"z": 1,}'),
      remark,
    );
    const file = fc
      .tuple(fc.uniqueArray(member, { selector: ([, key]) => key, maxLength: 4 }), fc.boolean(), remark)
      .map(([members, isEnded, end]) => {
        const inner = members.map(([r1, key, r2, value, r3]) => `${r1}${key}: ${r2}${value}${r3}`).join(",");
        return `{${inner}${members.length > 0 && isEnded ? "," : ""}${end}}${end}`;
      });
    const remarks = (text: string) => text.match(/\/\/[^\n]*|\/\*[\s\S]*?\*\//g) ?? [];
    const others = (text: string) =>
      Object.fromEntries(format.read(text, ["b", "c", "d", "b.z", "c.z", "d.z"]));
    fc.assert(
      fc.property(file, fc.string(), (before, value) => {
        if (Buffer.from(value).toString() !== value || value.includes("/")) return;
        // An object there is refused.
        if (format.read(before, ["k.z"]).size > 0) return;
        const after = format.write(before, new Map([["k", value]]));
        expect(format.read(after, ["k"]).get("k")).toBe(value);
        expect(remarks(after)).toEqual(remarks(before));
        expect(others(after)).toEqual(others(before));
        expect(format.write(after, new Map([["k", value]]))).toBe(after);
        const gone = format.write(after, new Map([["k", null]]));
        expect(format.read(gone, ["k"]).size).toBe(0);
        expect(remarks(gone)).toEqual(remarks(before));
        expect(others(gone)).toEqual(others(before));
        // What allows no last comma is left without one.
        const hadLastComma = /,\s*$/.test(
          before.replaceAll(/\/\/[^\n]*|\/\*[\s\S]*?\*\//g, "").replace(/\}\s*$/, ""),
        );
        if (!hadLastComma)
          expect(gone.replaceAll(/\/\/[^\n]*|\/\*[\s\S]*?\*\//g, "")).not.toMatch(/,\s*\}\s*$/);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("raw files", () => {
  const { raw } = FORMATS;
  const exact = formatFor({ format: "raw", newline: false });
  const ended = formatFor({ format: "raw", newline: true });
  const key = (value: string) => new Map([["k", value]]);

  it("keep the newline that stood at their end, and never add one", () => {
    expect(raw.read("value\n", ["k"]).get("k")).toBe("value");
    expect(raw.write("value\n", new Map([["k", "new"]]))).toBe("new\n");
    expect(raw.write("value", new Map([["k", "new"]]))).toBe("new");
    expect(raw.write(null, new Map([["k", "new"]]))).toBe("new");
  });

  it.each(["two\n\n", "host ssh-ed25519 AAAA\n", '{"type": "service_account"}\n', "a\r\n", "a"])(
    "hold %j, whose newline is its own, and read it back as that",
    (value) => {
      for (const format of [raw, exact]) {
        format.assertValue("k", value);
        const text = format.write(null, key(value));
        expect(text).toBe(value);
        expect([format.read(text, ["k"]).get("k"), format.alsoReads?.(text)]).toContain(value);
        expect(format.unclear?.(text, "k")).toBeNull();
      }
      // Replaced by one without, the value's own newline is not taken for the file's.
      expect(exact.write(value, key("new"))).toBe("new");
    },
  );

  it("end with exactly one newline that is not the value's where the configuration says so", () => {
    for (const before of [null, "old", "old\n", "old\n\n"])
      expect(ended.write(before, key("new"))).toBe("new\n");
    expect(ended.read("new\n", ["k"]).get("k")).toBe("new");
    expect(ended.read("new\n\n", ["k"]).get("k")).toBe("new\n");
    expect(ended.alsoReads?.("new\n")).toBeNull();
    expect(ended.unclear?.("new", "k")).toMatch(/without the newline at its end/);
    expect(() => ended.assertValue("k", "new\n")).toThrow(/`newline: true` adds one/);
  });

  it("compare to the byte where the file is the value", () => {
    expect(exact.read("value\n", ["k"]).get("k")).toBe("value\n");
    expect(exact.alsoReads?.("value\n")).toBeNull();
    expect(exact.write("old\n", key("new"))).toBe("new");
  });

  describe.skipIf(lacks("sshd"))("with private keys", () => {
    const home = mkdtempSync(join(tmpdir(), "lockstep-keys-"));
    afterAll(() => rmSync(home, { recursive: true }));
    const made = (type: string, ...more: readonly string[]) => {
      const path = join(home, type);
      execFileSync("ssh-keygen", ["-q", "-t", type, "-N", "", "-C", "", "-f", path, ...more]);
      return { text: readFileSync(path, "utf8"), shown: readFileSync(`${path}.pub`, "utf8").trim() };
    };
    const loaded = (text: string) => {
      const path = join(home, "placed");
      writeFileSync(path, text, { mode: 0o600 });
      return execFileSync("ssh-keygen", ["-y", "-P", "", "-f", path], {
        encoding: "utf8",
        stdio: "pipe",
      }).trim();
    };

    it("write what the real ssh-keygen loads, however the value came, or refuse", () => {
      const { text, shown } = made("ed25519");
      const bare = text.trimEnd();
      // The control: so it stood there, and was told as in sync.
      expect(() => loaded(bare)).toThrow();
      for (const [format, value] of [
        [raw, text],
        [raw, bare],
        [raw, `${text}\n`],
        [exact, text],
        [ended, bare],
      ] as const) {
        format.assertValue("k", value);
        for (const before of [null, "old", "old\n"]) {
          const written = format.write(before, key(value));
          expect(loaded(written)).toBe(shown);
          expect([format.read(written, ["k"]).get("k"), format.alsoReads?.(written)]).toContain(value);
          expect(format.unclear?.(written, "k")).toBeNull();
          expect(format.write(written, key(value))).toBe(written);
        }
      }
      for (const format of [raw, ended]) expect(format.unclear?.(bare, "k")).toMatch(/without the newline/);
      for (const format of [raw, exact, ended])
        expect(() => format.assertValue("k", text.replaceAll("\n", "\r\n").trim())).toThrow(
          /Windows line ends/,
        );
      expect(() => exact.assertValue("k", bare)).toThrow(/without its last newline/);
    });

    it("write what OpenSSL loads: keys, chains, Windows line ends", () => {
      const { text } = made("rsa", "-b", "1024", "-m", "PEM");
      for (const value of [text, text.trimEnd(), text.replaceAll("\n", "\r\n"), `${text}${text}`]) {
        raw.assertValue("k", value);
        const written = raw.write(null, key(value));
        expect(written).toMatch(/-----\r?\n$/);
        expect(createPrivateKey(written).type).toBe("private");
        expect(loaded(written)).toMatch(/^ssh-rsa /);
        expect([raw.read(written, ["k"]).get("k"), raw.alsoReads?.(written)]).toContain(value);
      }
    });
  });
});

describe("env-file files", () => {
  const format = FORMATS["env-file"];
  const set = (text: string | null, value: string | null, reader?: "docker" | "podman" | "kubectl") =>
    formatFor({ format: "env-file", reader }).write(text, new Map([["KEY", value]]));

  it("hold a value without quotes, and keep remarks, blanks and marks of others", () => {
    expect(set(null, 'it\'s \\ $5 "x"')).toBe('KEY=it\'s \\ $5 "x"\n');
    expect(set("\uFEFFKEY=old\r\n  OTHER='kept' # x\r\n#KEY=no\r\nPASSED\r\n", "n w")).toBe(
      "\uFEFFKEY=n w\r\n  OTHER='kept' # x\r\n#KEY=no\r\nPASSED\r\n",
    );
    expect(set("A=1\n\tKEY=old\n", null)).toBe("A=1\n");
    expect(set("KEY=a\nX=1\nKEY=b\n", "c")).toBe("X=1\nKEY=c\n");
  });

  // docker/cli pkg/kvfile/kvfile_test.go and opts/file_test.go; kubectl pkg/cmd/util/env_file_test.go.
  it.each([
    [
      "foo=bar\n    baz=quux\n# comment\n\n_foobar=foobaz\nwith.dots=working\nand_underscore=working too\n\n    \t  ",
      { foo: "bar", baz: "quux", _foobar: "foobaz", "with.dots": "working", and_underscore: "working too" },
    ],
    ["# comment=\nVAR=VAR_VALUE\nEMPTY_VAR=\nUNDEFINED_VAR\n", { VAR: "VAR_VALUE", EMPTY_VAR: "" }],
    ["\uFEFFfoo=bar\r\nbar=baz\r\n", { foo: "bar", bar: "baz" }],
    ["key=value#x='y'", { key: "value#x='y'" }],
  ])("are read as docker and kubectl read %j", (text, expected) => {
    expect(Object.fromEntries(format.read(text, format.keys?.(text) ?? []))).toEqual(expected);
  });

  it.each(["foo=bar\n    f   =quux\n", "first line\nanother", "=blank", "export KEY=1"])(
    "are refused like the readers refuse %j, with the line",
    (text) => {
      expect(() => format.read(text, ["KEY"])).toThrow(
        expect.objectContaining({ code: "TARGET_REFUSED", message: expect.stringMatching(/line \d has/) }),
      );
    },
  );

  it.each([
    ["two\nlines", ["docker", "podman", "kubectl"]],
    ["cr\rx", ["docker", "podman", "kubectl"]],
    ["x".repeat(65_536), ["docker", "podman", "kubectl"]],
    ["'quoted'", ["docker", "podman"]],
    ["a#b", ["podman"]],
    [" a", ["podman"]],
    ["a ", ["podman"]],
  ])("refuse %j for readers that would not get it", (value, refusing) => {
    const refusal = expect.objectContaining({ code: "VALUE_NOT_REPRESENTABLE" });
    expect(() => format.assertValue("KEY", value)).toThrow(refusal);
    for (const reader of ["docker", "podman", "kubectl"] as const) {
      const named = formatFor({ format: "env-file", reader });
      if (refusing.includes(reader)) expect(() => named.assertValue("KEY", value)).toThrow(refusal);
      else expect(named.read(set(null, value, reader), ["KEY"]).get("KEY")).toBe(value);
      // By whomever it stands there.
      if (refusing.includes(reader) && !/[\r\n]|x{9}/.test(value))
        expect(named.unclear?.(`KEY=${value}\n`, "KEY")).not.toBeNull();
    }
  });

  it("is never in sync where a key stands twice and kubectl counts", () => {
    expect(format.unclear?.("KEY=a\nKEY=a\n", "KEY")).toMatch(/kubectl refuses the whole file/);
    expect(formatFor({ format: "env-file", reader: "docker" }).unclear?.("KEY=a\nKEY=a\n", "KEY")).toBeNull();
  });
});
