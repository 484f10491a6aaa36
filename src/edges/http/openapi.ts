/** OpenAPI 3.1 from the same table and schemas that the server checks with. */
import { z } from "zod";
import { OPERATIONS } from "../../protocol/api.ts";
import { API_PREFIX, type Operation } from "../../protocol/api-operation.ts";
import { problem } from "../../protocol/api-parts.ts";

type Document = Record<string, unknown>;

export function buildOpenApi(version: string): Document {
  const paths: Record<string, Document> = {};
  for (const [id, operation] of Object.entries(OPERATIONS) as [string, Operation][]) {
    const path = `${API_PREFIX}${operation.path.replaceAll(/:(\w+)/g, "{$1}")}`;
    paths[path] = { ...paths[path], [operation.method.toLowerCase()]: describe(id, operation) };
  }
  return {
    openapi: "3.1.0",
    info: { title: "Lockstep", version, license: { name: "Apache-2.0", identifier: "Apache-2.0" } },
    security: [{ token: [] }],
    paths,
    components: {
      schemas: { Problem: schemaOf(problem, "output") },
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
    },
  };
}

function describe(id: string, operation: Operation): Document {
  const idempotency = { name: "Idempotency-Key", in: "header", required: false, schema: { type: "string" } };
  return {
    operationId: id,
    summary: operation.summary,
    ...(operation.permission === null ? {} : { "x-permission": operation.permission }),
    parameters: [
      ...parameters(operation.params, "path"),
      ...parameters(operation.query, "query"),
      ...(operation.method === "POST" ? [idempotency] : []),
    ],
    ...(operation.body === null
      ? {}
      : { requestBody: { required: true, content: json(schemaOf(operation.body, "input")) } }),
    responses: {
      "200": { description: "Done.", content: json(schemaOf(operation.answer, "output")) },
      default: {
        description: "It failed; the code is from the catalogue.",
        content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
      },
    },
  };
}

function parameters(shape: Operation["params"], place: "path" | "query"): Document[] {
  const { properties = {}, required = [] } = schemaOf(shape, "input") as {
    properties?: Record<string, unknown>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: place,
    required: required.includes(name),
    schema,
  }));
}

function json(schema: Document): Document {
  return { "application/json": { schema } };
}

function schemaOf(schema: z.ZodType, io: "input" | "output"): Document {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
}
