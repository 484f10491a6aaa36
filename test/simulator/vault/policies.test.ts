/** The policy language: what is read, what is refused, and which path decides. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Acl } from "../../../src/simulator/vault/access/acl.ts";
import { parsePolicy, type Rule } from "../../../src/simulator/vault/access/hcl.ts";

describe("a policy's text", () => {
  test("may have comments, commas at the end and escapes", () => {
    const text = `
      # a comment
      path "secret/data/a\\"b" { capabilities = ["read", "list",] } // another
      /* and
         one more */ path "x/*" { capabilities = [] }`;
    expect(parsePolicy(text, [])).toEqual([
      { path: 'secret/data/a"b', capabilities: new Set(["read", "list"]) },
      { path: "x/*", capabilities: new Set() },
    ]);
  });

  test.each([
    'path "a" { capabilities = ["raed"] }',
    'path "a" { capabilities = ["patch"] }',
    'path "a" { policy = "read" }',
    'path "a" { capabilities = ["read"] ',
    'path a { capabilities = ["read"] }',
    'path "a/+*" { capabilities = ["read"] }',
    'path "a" { capabilities = "read" }',
    'paths "a" {}',
    "%",
  ])("is refused: %s", (text) => {
    expect(() => parsePolicy(text, [])).toThrow("failed to parse policy");
  });

  test("is read back as it was written", () => {
    const word = fc.constantFrom("create", "read", "update", "delete", "list", "sudo");
    const path = fc.stringMatching(/^[a-z][a-z/]{0,12}\*?$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(path, fc.uniqueArray(word))), (rules) => {
        const text = rules.map(
          ([at, words]) => `path ${JSON.stringify(at)} { capabilities = ${JSON.stringify(words)} }`,
        );
        const expected = rules.map(([at, words]) => ({ path: at, capabilities: new Set(words) }));
        expect(parsePolicy(text.join("\n"), [])).toEqual(expected);
      }),
    );
  });
});

const rule = (path: string, ...words: readonly ("read" | "list" | "deny" | "update")[]): Rule => ({
  path,
  capabilities: new Set(words),
});

describe("which path decides", () => {
  test.each<[string, readonly Rule[], string, boolean]>([
    ["nothing matches", [rule("a", "read")], "b", false],
    ["exact before prefix", [rule("a/*", "read"), rule("a/b", "update")], "a/b", false],
    ["the longer prefix", [rule("a/*", "deny"), rule("a/b*", "read")], "a/bc", true],
    ["the later plus", [rule("a/+/c", "deny"), rule("a/b/+", "read")], "a/b/c", true],
    ["fewer pluses", [rule("a/+/+", "deny"), rule("a/+/c", "read")], "a/x/c", true],
    ["no prefix before a prefix", [rule("a/+/*", "deny"), rule("a/+/c", "read")], "a/x/c", true],
    ["a prefix that goes farther than a plus", [rule("+/b", "deny"), rule("a/*", "read")], "a/b", true],
    ["a plus is one segment", [rule("a/+", "read")], "a/b/c", false],
    ["a plus is not an empty path", [rule("a/+/c", "read")], "a/c", false],
    ["a plus within a name is a plus", [rule("a/b+", "read")], "a/bb", false],
    ["a star within a name is a star", [rule("a*b", "read")], "axb", false],
    ["denial", [rule("a", "read"), rule("a", "deny")], "a", false],
  ])("%s", (_name, rules, path, allowed) => {
    expect(new Acl(rules, false).allows("read", path)).toBe(allowed);
    expect(new Acl([...rules].reverse(), false).allows("read", path)).toBe(allowed);
  });

  test("a LIST is looked up without its slash first at Vault, and with it at OpenBao", () => {
    const rules = [rule("a*", "list"), rule("a/*", "deny")];
    expect(new Acl(rules, false).allows("list", "a/")).toBe(true);
    expect(new Acl(rules, true).allows("list", "a/")).toBe(false);
  });

  test("the order of rules never matters", () => {
    const path = fc
      .array(fc.constantFrom("a", "b", "+"), { minLength: 1, maxLength: 4 })
      .map((parts) => parts.join("/"));
    const rules = fc.array(
      fc.record({
        path: fc
          .tuple(path, fc.constantFrom("", "/*", "*"))
          .map(([at, tail]) => (at.endsWith("+") && tail === "*" ? at : at + tail)),
        capabilities: fc.constantFrom("read", "update", "deny").map((word) => new Set([word] as const)),
      }),
    );
    const asked = fc
      .array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 4 })
      .map((parts) => parts.join("/"));
    fc.assert(
      fc.property(rules, asked, (given, at) => {
        const [one, other] = [new Acl(given, false), new Acl([...given].reverse(), false)];
        expect([...one.capabilities(at, false)].sort()).toEqual([...other.capabilities(at, false)].sort());
      }),
    );
  });
});
