/**
 * The executable schema. `EnvironmentVariables` takes a map of strings and nothing else: what Railway does with
 * numbers or null inside is not documented, so the simulator refuses them and a client that sends them is found.
 */
import { buildSchema, GraphQLError, GraphQLScalarType, type GraphQLSchema } from "graphql";
import { CONNECTIONS } from "./connections.ts";
import { INPUTS } from "./inputs.ts";
import { OBJECTS } from "./objects.ts";
import { ROOTS } from "./roots.ts";

const RAILWAY_SDL = [ROOTS, OBJECTS, CONNECTIONS, INPUTS].join("\n");

export function buildRailwaySchema(): GraphQLSchema {
  const schema = buildSchema(RAILWAY_SDL);
  scalar(schema, "EnvironmentVariables").parseValue = parseVariables;
  scalar(schema, "EnvironmentConfig").parseValue = parseConfig;
  return schema;
}

function scalar(schema: GraphQLSchema, name: string): GraphQLScalarType {
  const type = schema.getType(name);
  if (!(type instanceof GraphQLScalarType)) throw new Error(`the schema lacks the scalar ${name}`);
  return type;
}

function parseVariables(input: unknown): Readonly<Record<string, string>> {
  const parsed: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(asObject(input, "EnvironmentVariables"))) {
    if (typeof value !== "string") throw new GraphQLError(`EnvironmentVariables: ${name} must be a string`);
    parsed[name] = value;
  }
  return parsed;
}

function parseConfig(input: unknown): Readonly<Record<string, unknown>> {
  return asObject(input, "EnvironmentConfig");
}

function asObject(input: unknown, type: string): Readonly<Record<string, unknown>> {
  if (typeof input === "object" && input !== null && !Array.isArray(input)) {
    return Object.fromEntries(Object.entries(input));
  }
  throw new GraphQLError(`${type} must be an object`);
}
