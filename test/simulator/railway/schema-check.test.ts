import { buildSchema, validateSchema } from "graphql";
import { expect, it } from "vitest";
import { differencesFrom } from "../../../.ci/checks/railway-schema/subset.ts";
import { buildRailwaySchema } from "../../../src/simulator/railway/schema/schema.ts";

const WHOLE = `
  type Query { thing(id: String!, size: Int = 1): Thing!  other: Int }
  type Thing implements Node { id: ID!  state: State!  more: String }
  interface Node { id: ID! }
  enum State { ON OFF }
  input Change { name: String!  deep: Boolean = false }
  type Mutation { change(input: Change!): Boolean! }
  scalar Map
`;
const EXCERPT = `
  type Query { thing(id: String!, size: Int = 1): Thing! }
  type Thing implements Node { id: ID!  state: State! }
  interface Node { id: ID! }
  enum State { ON OFF }
  input Change { name: String!  deep: Boolean = false }
  type Mutation { change(input: Change!): Boolean! }
  scalar Map
`;

function compare(from: string, to: string): string[] {
  expect(EXCERPT).toContain(from);
  return differencesFrom(buildSchema(WHOLE), buildSchema(EXCERPT.replace(from, to)));
}

it("takes an excerpt for what it is", () => {
  expect(compare("scalar Map", "scalar Map")).toEqual([]);
});

it.each([
  ["a type that does not exist", "scalar Map", "scalar Map scalar Mop", "Mop does not exist"],
  ["another kind of type", "scalar Map", "enum Map { A }", "Map is another kind of type"],
  ["a field that does not exist", "state: State!", "state: State! shoe: Int", "Thing.shoe does not exist"],
  ["other nullability", "state: State!", "state: State", "Thing.state is State!, not State"],
  [
    "an argument that is missing",
    "id: String!, size: Int = 1",
    "id: String!",
    "Query.thing: size is missing",
  ],
  ["an argument of another type", "id: String!", "id: ID!", "Query.thing(id) is String!"],
  ["another default", "size: Int = 1", "size: Int = 2", "Query.thing(size) is Int = 1"],
  ["a value too few", "ON OFF", "ON", "State: OFF is missing"],
  ["a value too many", "ON OFF", "ON OFF MAYBE", "State: MAYBE does not exist"],
  ["an input field that is missing", "deep: Boolean = false", "", "Change: deep is missing"],
  ["another interface", "Thing implements Node", "Thing", "Thing implements: Node is missing"],
])("finds %s", (_, from, to, expected) => {
  expect(compare(from, to)).toEqual([expect.stringContaining(expected)]);
});

it("builds a schema without defects for the simulator", () => {
  expect(validateSchema(buildRailwaySchema())).toEqual([]);
});
