/** Parses and validates each document once: clients send the same few again and again. */
import { type DocumentNode, GraphQLError, type GraphQLSchema, parse, validate } from "graphql";

interface ReadDocument {
  /** null: refused, because of `errors`. */
  readonly document: DocumentNode | null;
  readonly errors: readonly GraphQLError[];
  readonly code: "GRAPHQL_PARSE_FAILED" | "GRAPHQL_VALIDATION_FAILED";
}

const MAX_DOCUMENTS = 200;

export class DocumentCache {
  readonly #schema: GraphQLSchema;
  readonly #known = new Map<string, ReadDocument>();

  constructor(schema: GraphQLSchema) {
    this.#schema = schema;
  }

  read(query: string): ReadDocument {
    const known = this.#known.get(query);
    if (known !== undefined) return known;
    if (this.#known.size >= MAX_DOCUMENTS) this.#known.clear();
    const read = this.#read(query);
    this.#known.set(query, read);
    return read;
  }

  #read(query: string): ReadDocument {
    try {
      const document = parse(query);
      const errors = validate(this.#schema, document);
      return { document: errors.length === 0 ? document : null, errors, code: "GRAPHQL_VALIDATION_FAILED" };
    } catch (error) {
      const refused = error instanceof GraphQLError ? error : new GraphQLError("Syntax Error");
      return { document: null, errors: [refused], code: "GRAPHQL_PARSE_FAILED" };
    }
  }
}
