/**
 * Reads off a request what it is about, before anything is done with it: so that faults can be matched and the record
 * can name services and variables. A body that cannot be read yields an empty description; refusing it is left to the
 * execution.
 */
import {
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLSchema,
  getArgumentValues,
  getOperationAST,
  Kind,
  parse,
  type SelectionSetNode,
} from "graphql";
import type { World } from "../world/world.ts";

export interface DescribedField {
  readonly field: string;
  readonly responseKey: string;
  readonly environmentId: string | null;
  /** null: the shared scope, or not about a service. */
  readonly serviceIds: readonly string[];
  /** Names of variables that it writes or deletes. */
  readonly set: readonly string[];
  readonly deleted: readonly string[];
  readonly skipDeploys: boolean | null;
  readonly replace: boolean;
}

export interface DescribedRequest {
  readonly operationName: string | null;
  readonly operationType: "query" | "mutation" | null;
  readonly fields: readonly DescribedField[];
  /** As sent. Holds values. */
  readonly variables: Readonly<Record<string, unknown>>;
}

const UNREADABLE: DescribedRequest = { operationName: null, operationType: null, fields: [], variables: {} };

export function describeRequest(schema: GraphQLSchema, world: World, body: string): DescribedRequest {
  try {
    const request = asRecord(JSON.parse(body));
    const document = parse(String(request["query"]));
    const asked = typeof request["operationName"] === "string" ? request["operationName"] : null;
    const operation = getOperationAST(document, asked);
    if (!operation || operation.operation === "subscription") return UNREADABLE;
    const root = operation.operation === "mutation" ? schema.getMutationType() : schema.getQueryType();
    const variables = asRecord(request["variables"]);
    const fragments = document.definitions.filter((one) => one.kind === Kind.FRAGMENT_DEFINITION);
    const fields = fieldsIn(operation.selectionSet, fragments).map((node) => {
      const definition = root?.getFields()[node.name.value];
      const args =
        definition === undefined ? {} : argumentsOf(() => getArgumentValues(definition, node, variables));
      return describeField(world, node, args);
    });
    return {
      operationName: operation.name?.value ?? null,
      operationType: operation.operation,
      fields,
      variables,
    };
  } catch {
    return UNREADABLE;
  }
}

function describeField(
  world: World,
  node: FieldNode,
  args: Readonly<Record<string, unknown>>,
): DescribedField {
  const field = node.name.value;
  const input = { ...args, ...asRecord(args["input"]) };
  const patched = asRecord(field === "environmentPatchCommit" ? args["patch"] : args["input"]);
  const services = asRecord(patched["services"]);
  const deployment = world.deployments.get(
    text(field === "deploymentSnapshot" ? args["deploymentId"] : args["id"]),
  );
  const named = [
    text(input["serviceId"]),
    deployment?.instance.service.id ?? "",
    field === "service" ? text(args["id"]) : "",
    ...Object.keys(services),
    ...texts(input["enabledServiceIds"]),
    ...texts(input["disabledServiceIds"]),
  ];
  const patchedVariables = [
    patched["sharedVariables"],
    ...Object.values(services).map((one) => asRecord(one)["variables"]),
  ].flatMap((variables) => Object.entries(asRecord(variables)));
  const single =
    field === "variableUpsert" || field === "sharedVariableConfigure" ? [text(input["name"])] : [];
  return {
    field,
    responseKey: node.alias?.value ?? field,
    environmentId: text(input["environmentId"]) || (deployment?.instance.environment.id ?? null),
    serviceIds: [...new Set(named.filter((id) => id !== ""))],
    set: [
      ...single,
      ...(field === "variableCollectionUpsert" ? Object.keys(asRecord(input["variables"])) : []),
      ...patchedVariables.filter(([, variable]) => variable !== null).map(([name]) => name),
    ],
    deleted: [
      ...(field === "variableDelete" ? [text(input["name"])] : []),
      ...patchedVariables.filter(([, variable]) => variable === null).map(([name]) => name),
    ],
    skipDeploys: typeof input["skipDeploys"] === "boolean" ? input["skipDeploys"] : null,
    replace: input["replace"] === true,
  };
}

function fieldsIn(set: SelectionSetNode, fragments: readonly FragmentDefinitionNode[]): FieldNode[] {
  return set.selections.flatMap((selection) => {
    if (selection.kind === Kind.FIELD) return [selection];
    if (selection.kind === Kind.INLINE_FRAGMENT) return fieldsIn(selection.selectionSet, fragments);
    const fragment = fragments.find(({ name }) => name.value === selection.name.value);
    return fragment === undefined ? [] : fieldsIn(fragment.selectionSet, fragments);
  });
}

/** Arguments that do not fit are refused when the request is executed; here they only describe nothing. */
function argumentsOf(read: () => Record<string, unknown>): Record<string, unknown> {
  try {
    return read();
  } catch {
    return {};
  }
}

function asRecord(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return {};
  return Object.fromEntries(Object.entries(value));
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}
