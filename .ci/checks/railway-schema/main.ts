/**
 * Compares with Railway's published schema what we say about it:
 *
 * - the simulator's types must be an excerpt of it;
 * - every GraphQL document that the Railway target sends must be valid in it.
 *
 * The schema is an introspection result, for example src/gql/schema.json of github.com/railwayapp/cli. Name the file,
 * or put it where it is looked for; without it the check says so and passes.
 *
 *   node --import tsx .ci/checks/railway-schema/main.ts [FILE]
 */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { buildClientSchema, type GraphQLSchema, type IntrospectionQuery, parse, validate } from "graphql";
import { buildRailwaySchema } from "../../../src/simulator/railway/schema/schema.ts";
import { differencesFrom } from "./subset.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const BESIDE = ["../shared/ref/railway-schema.json", "../../shared/ref/railway-schema.json"];
const DOCUMENTS = join(ROOT, "src/adapters/targets/railway/wire/documents.ts");

const [named] = process.argv.slice(2);
const places = named === undefined ? BESIDE.map((path) => resolve(ROOT, path)) : [resolve(named)];
const file = places.find((path) => existsSync(path));
if (file === undefined) {
  console.log("railway-schema: skipped, the published schema was not found");
} else {
  const whole = load(file);
  const excerpt = differencesFrom(whole, buildRailwaySchema());
  const documents = await invalidDocuments(whole);
  for (const line of [...excerpt, ...documents]) console.error(`railway-schema: ${line}`);
  if (excerpt.length + documents.length > 0) process.exitCode = 1;
  else console.log("railway-schema: the simulator and all documents agree with the published schema");
}

function load(path: string): GraphQLSchema {
  const content = JSON.parse(readFileSync(path, "utf8")) as
    | IntrospectionQuery
    | { readonly data: IntrospectionQuery };
  return buildClientSchema("data" in content ? content.data : content);
}

/** Every text exported there, or inside an exported record. */
async function invalidDocuments(whole: GraphQLSchema): Promise<string[]> {
  if (!existsSync(DOCUMENTS)) {
    console.log("railway-schema: there are no documents yet");
    return [];
  }
  const exported = (await import(pathToFileURL(DOCUMENTS).href)) as Readonly<Record<string, unknown>>;
  const texts = Object.entries(exported).flatMap(([name, value]): [string, string][] => {
    if (typeof value === "string") return [[name, value]];
    if (typeof value !== "object" || value === null) return [];
    return Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string");
  });
  if (texts.length === 0) return ["documents.ts exports no document"];
  return texts.flatMap(([name, text]) =>
    problems(whole, text).map((problem) => `document ${name}: ${problem}`),
  );
}

function problems(whole: GraphQLSchema, text: string): string[] {
  try {
    return validate(whole, parse(text)).map(({ message }) => message);
  } catch {
    return ["it does not parse"];
  }
}
