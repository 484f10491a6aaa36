/**
 * Is one schema an excerpt of another? Everything that the excerpt has, the whole must have in the same form: types,
 * interfaces, fields, arguments and their defaults, nullability, input fields, and the complete list of an
 * enumeration's values: one that the excerpt lacks would never be answered.
 *
 * Input objects and argument lists must be complete as well: the excerpt would refuse what the whole takes.
 */
import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLNamedType,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isSpecifiedScalarType,
  Kind,
} from "graphql";

/** In words, one line per difference; empty when it is an excerpt. */
export function differencesFrom(whole: GraphQLSchema, excerpt: GraphQLSchema): string[] {
  return Object.values(excerpt.getTypeMap())
    .filter((type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type))
    .flatMap((type) => typeDifferences(type, whole.getType(type.name)));
}

function typeDifferences(type: GraphQLNamedType, real: GraphQLNamedType | undefined): string[] {
  const { name } = type;
  if (real === undefined) return [`${name} does not exist`];
  if (kindOf(type) !== kindOf(real)) return [`${name} is another kind of type`];
  if (isEnumType(type) && isEnumType(real)) {
    return unequalNames(name, type.getValues(), real.getValues());
  }
  if (isInputObjectType(type) && isInputObjectType(real)) {
    return inputDifferences(name, Object.values(type.getFields()), Object.values(real.getFields()));
  }
  if ((isObjectType(type) && isObjectType(real)) || (isInterfaceType(type) && isInterfaceType(real))) {
    const fields = real.getFields();
    return [
      ...unequalNames(`${name} implements`, type.getInterfaces(), real.getInterfaces()),
      ...Object.values(type.getFields()).flatMap((field) =>
        fieldDifferences(`${name}.${field.name}`, field, fields[field.name]),
      ),
    ];
  }
  return [];
}

function fieldDifferences(
  name: string,
  field: GraphQLField<unknown, unknown>,
  real: GraphQLField<unknown, unknown> | undefined,
): string[] {
  if (real === undefined) return [`${name} does not exist`];
  const type = String(field.type) === String(real.type) ? [] : [`${name} is ${real.type}, not ${field.type}`];
  return [...type, ...inputDifferences(name, field.args, real.args)];
}

type Input = GraphQLArgument | GraphQLInputField;

function inputDifferences(owner: string, inputs: readonly Input[], real: readonly Input[]): string[] {
  const form = ({ type, defaultValue }: Input) => `${type} = ${JSON.stringify(defaultValue)}`;
  return [
    ...unequalNames(owner, inputs, real),
    ...inputs.flatMap((input) => {
      const other = real.find(({ name }) => name === input.name);
      if (other === undefined || form(other) === form(input)) return [];
      return [`${owner}(${input.name}) is ${form(other)}, not ${form(input)}`];
    }),
  ];
}

function unequalNames(
  owner: string,
  ours: readonly { readonly name: string }[],
  real: readonly { readonly name: string }[],
): string[] {
  const known = new Set(real.map(({ name }) => name));
  const present = new Set(ours.map(({ name }) => name));
  return [
    ...ours.filter(({ name }) => !known.has(name)).map(({ name }) => `${owner}: ${name} does not exist`),
    ...real.filter(({ name }) => !present.has(name)).map(({ name }) => `${owner}: ${name} is missing`),
  ];
}

function kindOf(type: GraphQLNamedType): string {
  if (isObjectType(type)) return Kind.OBJECT_TYPE_DEFINITION;
  if (isInterfaceType(type)) return Kind.INTERFACE_TYPE_DEFINITION;
  if (isEnumType(type)) return Kind.ENUM_TYPE_DEFINITION;
  if (isInputObjectType(type)) return Kind.INPUT_OBJECT_TYPE_DEFINITION;
  return Kind.SCALAR_TYPE_DEFINITION;
}
