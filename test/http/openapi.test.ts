import { expect, test } from "vitest";
import { buildOpenApi } from "../../src/edges/http/openapi.ts";
import { OPERATIONS } from "../../src/protocol/api.ts";
import type { Operation } from "../../src/protocol/api-operation.ts";

interface Described {
  readonly operationId: string;
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly required: boolean }[];
  readonly requestBody?: unknown;
}

const { paths } = buildOpenApi("1.2.3") as { paths: Record<string, Record<string, Described>> };

test.each(Object.entries(OPERATIONS) as [string, Operation][])("%s is described", (id, operation) => {
  const path = `/api/v1${operation.path.replaceAll(/:(\w+)/g, "{$1}")}`;
  const described = paths[path]?.[operation.method.toLowerCase()];
  expect(described?.operationId).toBe(id);
  const named = described?.parameters.filter((parameter) => parameter.in === "path").map(({ name }) => name);
  expect(named).toEqual([...operation.path.matchAll(/:(\w+)/g)].map(([, name]) => name));
  expect(described?.requestBody !== undefined).toBe(operation.body !== null);
});

test("no two operations share method and path", () => {
  const described = Object.values(paths).flatMap((methods) => Object.values(methods));
  expect(described).toHaveLength(Object.keys(OPERATIONS).length);
});
