import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { foundThrough, whyOutdated } from "../../../src/adapters/targets/railway/deployments/snapshot.ts";
import {
  type ReferenceGraph,
  usersOf,
} from "../../../src/adapters/targets/railway/variables/reference-graph.ts";
import {
  hasReference,
  sharedNameOf,
  sharedNamesIn,
  withSharedValues,
} from "../../../src/adapters/targets/railway/variables/references.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { CANARY, set } from "./kit.ts";

const name = fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,8}$/);
const plain = fc.string({ maxLength: 40 }).filter((text) => !text.includes("${{"));

describe("references to shared variables", () => {
  it("are found with or without blanks, alone or inside a text, and nothing else is", () => {
    expect(sharedNamesIn("${{shared.A}}")).toEqual(["A"]);
    expect(sharedNamesIn("x-${{ shared.A }}-${{shared.B_2}}")).toEqual(["A", "B_2"]);
    for (const other of [
      "${{A}}",
      "${{api.A}}",
      "${shared.A}",
      "shared.A",
      "${{shared.}}",
      "${{ shared . A }}",
    ])
      expect(sharedNamesIn(other)).toEqual([]);
  });

  it("are named by Railway's metadata in one of two forms", () => {
    expect(["shared.A", "${{shared.A}}", "${{ shared.A }}", "api.A", "A"].map(sharedNameOf)).toEqual([
      "A",
      "A",
      "A",
      null,
      null,
    ]);
  });

  it("resolve to what stands around them and the value, whatever the value looks like", () => {
    fc.assert(
      fc.property(plain, name, plain, plain, (before, key, value, after) => {
        const text = `${before}\${{shared.${key}}}${after}`;
        fc.pre(sharedNamesIn(text).length === 1);
        expect(withSharedValues(text, new Map([[key, value]]))).toBe(`${before}${value}${after}`);
      }),
    );
  });

  it("make a deployment outdated exactly when it was started with another value", () => {
    fc.assert(
      fc.property(plain, plain, plain, (before, value, other) => {
        const stored = { MINE: `${before}\${{shared.KEY}}` };
        fc.pre(sharedNamesIn(stored.MINE).length === 1);
        const { set: expected } = set({ KEY: value }, "shared");
        const started = (text: string) =>
          whyOutdated({ snapshot: { MINE: `${before}${text}` }, stored }, expected);
        expect(started(value)).toBeNull();
        const why = started(other);
        // A text that still holds a reference is a snapshot as written: only the name can be judged.
        if (other !== value && !hasReference(before)) expect(why).toContain("KEY");
      }),
    );
  });

  it("are told without a value", () => {
    const { set: expected } = set({ KEY: CANARY }, "shared");
    const stored = { MINE: "${{shared.KEY}}", SEALED: null };
    expect(whyOutdated({ snapshot: {}, stored }, expected)).toBe("the deployment was started without MINE");
    expect(whyOutdated({ snapshot: { MINE: `${CANARY}-old` }, stored }, expected)).not.toContain(CANARY);
    expect(whyOutdated({ snapshot: { MINE: "${{shared.KEY}}" }, stored }, expected)).toBeNull();
    expect(whyOutdated({ snapshot: { MINE: null }, stored }, expected)).toBeNull();
  });
});

describe("who takes a variable from a service", () => {
  type Texts = Readonly<Record<string, Readonly<Record<string, string | null>>>>;
  /** Ids are the names with `-id`; `shared` is the shared scope. */
  const graphOf = (texts: Texts, listed: ReferenceGraph["listed"] = []): ReferenceGraph => ({
    names: new Map(Object.keys(texts).flatMap((one) => (one === "shared" ? [] : [[`${one}-id`, one]]))),
    texts: new Map(
      Object.entries(texts).map(([one, variables]) => [
        one === "shared" ? null : `${one}-id`,
        new Map(Object.entries(variables)),
      ]),
    ),
    listed,
  });
  const users = (texts: Texts, key = "AUTH", scope: string | null = "api-id") =>
    [...usersOf(graphOf(texts), scope, new Set([key])).keys()].sort();

  it.each([
    ["alone", "api", "${{api.AUTH}}"],
    ["with blanks", "api", "${{  api.AUTH  }}"],
    [
      "inside a text, beside others",
      "api",
      "http://u:${{api.AUTH}}@${{api.RAILWAY_PRIVATE_DOMAIN}}/${{shared.X}}",
    ],
    ["by a name with blanks", "my api", "${{my api.AUTH}}"],
    ["by a quoted name", "my api", '${{"my api".AUTH}}'],
    ["by a name in single quotes", "my api", "${{'my api'.AUTH}}"],
    ["by a name with a dot", "my.api", "${{my.api.AUTH}}"],
    ["by its id", "api", "${{api-id.AUTH}}"],
  ])("%s", (_how, name, text) => {
    expect(users({ [name]: { AUTH: "x" }, web: { B: text } }, "AUTH", `${name}-id`)).toEqual(["web-id"]);
  });

  it.each([
    ["another key of it", "${{api.AUTH_FALLBACK}}"],
    ["another service", "${{apis.AUTH}}"],
    ["a service whose name differs in its case", "${{API.AUTH}}"],
    ["a name of its own", "${{AUTH}}"],
    ["a shared one", "${{shared.AUTH}}"],
    ["no reference", "$" + "{api.AUTH} api.AUTH"],
  ])("is not who refers to %s", (_what, text) => {
    expect(users({ api: { AUTH: "x" }, web: { B: text }, apis: {}, shared: { AUTH: "y" } })).toEqual([]);
  });

  it("is found over any number of steps, through own names, and circles end", () => {
    const texts = {
      api: { AUTH: "x", OWN: "Bearer ${{AUTH}}" },
      b: { MID: "${{api.OWN}}", TOP: "<${{MID}}>" },
      c: { LAST: "${{b.TOP}}", ROUND: "${{d.ROUND}}" },
      d: { ROUND: "${{c.ROUND}} ${{c.LAST}}" },
      none: { ROUND: "${{none.ROUND}}" },
    };
    expect(users(texts)).toEqual(["b-id", "c-id", "d-id"]);
  });

  it("of the shared scope is also who takes it from a service that does", () => {
    const texts = {
      shared: { T: "x", U: "${{shared.T}}" },
      api: { AUTH: "${{shared.U}}" },
      web: { B: "${{api.AUTH}}" },
    };
    expect(users(texts, "T", null)).toEqual(["api-id", "web-id"]);
    // A shared variable has no service to stand on.
    expect(
      users({ api: { AUTH: "x" }, shared: { S: "${{api.AUTH}}" }, web: { B: "${{shared.S}}" } }),
    ).toEqual([]);
  });

  it("is known by Railway's own list where the text is not shown", () => {
    const listed = [
      { serviceId: "web-id", name: "SEALED", references: ["api.AUTH"] },
      { serviceId: "old-id", name: "SEALED", references: ["${{ api.AUTH }}"] },
    ];
    const graph = graphOf({ api: { AUTH: "x" }, web: { SEALED: null }, old: {} }, listed);
    expect([...usersOf(graph, "api-id", new Set(["AUTH"])).keys()]).toEqual(["web-id", "old-id"]);
    const started = { snapshot: { SEALED: "x" }, stored: { SEALED: null } };
    const at = { service: "web-id", source: { scope: "api-id", key: "AUTH" } };
    const candidates = new Map([[1, SecretValue.of("x")]]);
    expect(foundThrough(started, graph, at, candidates).state).toBe("unreadable");
  });

  it("holds exactly the version that its deployment was started with, whatever stands around it", () => {
    const value = fc.stringMatching(/^[a-z0-9]{4,12}$/);
    const around = fc.stringMatching(/^[<>@:/ ]{0,4}$/);
    fc.assert(
      fc.property(
        value,
        value,
        around,
        around,
        fc.nat(3),
        fc.boolean(),
        (one, two, before, after, steps, isOld) => {
          fc.pre(one !== two);
          const chain = Array.from({ length: steps }, (_, at) => [
            `s${at}`,
            { V: at === 0 ? "${{api.AUTH}}" : `\${{s${at - 1}.V}}` },
          ]);
          const last = steps === 0 ? "${{api.AUTH}}" : `\${{s${steps - 1}.V}}`;
          const graph = graphOf({
            api: { AUTH: two },
            ...Object.fromEntries(chain),
            web: { B: `${before}${last}${after}` },
          });
          const snapshot = { B: `${before}${isOld ? one : two}${after}` };
          const candidates = new Map([
            [1, SecretValue.of(one)],
            [2, SecretValue.of(two)],
          ]);
          const at = { service: "web-id", source: { scope: "api-id", key: "AUTH" } };
          expect(foundThrough({ snapshot, stored: {} }, graph, at, candidates)).toEqual({
            state: "version",
            version: isOld ? 1 : 2,
          });
          expect(foundThrough({ snapshot: { B: "<>" }, stored: {} }, graph, at, candidates).state).toBe(
            "unknown",
          );
        },
      ),
    );
  });

  it("around what is not known, says a version only where no other fits", () => {
    const graph = graphOf({ api: { AUTH: "x" }, web: { B: "${{api.AUTH}}${{api.RAILWAY_X}}" } });
    const at = { service: "web-id", source: { scope: "api-id", key: "AUTH" } };
    const found = (started: string, one: string, two: string) =>
      foundThrough(
        { snapshot: { B: started }, stored: {} },
        graph,
        at,
        new Map([
          [1, SecretValue.of(one)],
          [2, SecretValue.of(two)],
        ]),
      );
    expect(found("newhost", "old", "new")).toEqual({ state: "version", version: 2 });
    expect(found("abchost", "ab", "abc").state).toBe("unreadable");
    expect(found("otherhost", "old", "new").state).toBe("unknown");
  });

  it("makes a deployment outdated that was started with another value of it", () => {
    const expected = [{ placement: "", key: "AUTH", value: SecretValue.of(CANARY), locationKey: "p/api" }];
    const owner = (place: string) => (place === "p/api" ? { id: "api-id", name: "my api" } : null);
    const stored = { B: '<${{"my api".AUTH}}>', OTHER: "x" };
    const why = (snapshot: Record<string, string>) => whyOutdated({ snapshot, stored }, expected, owner);
    expect(why({ B: `<${CANARY}>` })).toBeNull();
    expect(why({ B: "<old>" })).toBe("the deployment was started with another value of my api's AUTH in B");
    expect(why({})).toBe("the deployment was started without B");
    expect(why({ B: stored.B })).toBeNull();
    // Its own variable of the same name is none of that.
    expect(whyOutdated({ snapshot: {}, stored: { AUTH: "mine" } }, expected, owner)).toBeNull();
  });
});
