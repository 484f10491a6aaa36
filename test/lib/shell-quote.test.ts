import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { childEnvironment } from "../../src/lib/child-environment.ts";
import { shellCommand, shellQuote } from "../../src/lib/shell-quote.ts";

describe("shell quoting", () => {
  it("a real shell reads back exactly the words that were quoted", () => {
    const word = fc
      .string({ unit: fc.oneof(fc.constantFrom(..."'\"\\$`!*?~#&;|<>(){}[] \t\n=-"), fc.string()) })
      .filter((text) => !text.includes("\u0000"));
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 6 }), (words) => {
        const read = execFileSync("/bin/sh", ["-c", shellCommand(["printf", "%s\\0", ...words])], {
          encoding: "utf8",
        });
        expect(read.split("\u0000").slice(0, -1)).toEqual(words);
      }),
      { numRuns: 60 },
    );
  });

  it("plain words stay readable, everything else stands in single quotes", () => {
    expect(shellQuote("/etc/app/env.d/x@1:2,3")).toBe("/etc/app/env.d/x@1:2,3");
    expect(shellQuote("")).toBe("''");
    expect(shellQuote("it's")).toBe("'it'\\''s'");
    expect(shellQuote("~/app")).toBe("'~/app'");
    expect(shellQuote("=ls")).toBe("'=ls'");
  });

  it("a first word with = is a program, not an assignment", () => {
    expect(shellCommand(["A=b", "c"])).toBe("'A=b' c");
    expect(shellCommand(["env", "A=b"])).toBe("env A=b");
  });
});

describe("a child's environment", () => {
  it("holds what programs need, and nothing that we were given", () => {
    const own = {
      PATH: "/bin",
      LC_ALL: "C",
      LC_x: "no",
      DATABASE_URL: "postgres://u:canary@h/d",
      NODE_OPTIONS: "--inspect",
      LD_PRELOAD: "x",
      HOME: undefined,
    };
    expect(childEnvironment(own)).toEqual({ PATH: "/bin", LC_ALL: "C" });
    expect(childEnvironment(own, { PATH: "/usr/bin", APP: "1" })).toEqual({
      PATH: "/usr/bin",
      LC_ALL: "C",
      APP: "1",
    });
  });
});
