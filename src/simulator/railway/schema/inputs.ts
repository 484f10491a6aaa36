/**
 * Inputs, enumerations and scalars.
 * Field for field an excerpt of the public schema that Railway publishes with its command line client
 * (github.com/railwayapp/cli, src/gql/schema.json, MIT licence, snapshot of 2026-08-08); a check compares the two.
 */
export const INPUTS = /* GraphQL */ `
input DeploymentListInput {
  environmentId: String
  includeDeleted: Boolean
  projectId: String
  serviceId: String
  status: DeploymentStatusInput
}

input SharedVariableConfigureInput {
  disabledServiceIds: [String!]!
  enabledServiceIds: [String!]!
  environmentId: String!
  name: String!
  projectId: String!
}

input VariableCollectionUpsertInput {
  environmentId: String!
  projectId: String!
  replace: Boolean = false
  serviceId: String
  skipDeploys: Boolean = false
  variables: EnvironmentVariables!
}

input VariableDeleteInput {
  environmentId: String!
  name: String!
  projectId: String!
  serviceId: String
}

input VariableUpsertInput {
  environmentId: String!
  name: String!
  projectId: String!
  serviceId: String
  skipDeploys: Boolean = false
  value: String!
}

input DeploymentStatusInput {
  in: [DeploymentStatus!]
  notIn: [DeploymentStatus!]
}

enum ProjectsOrderBy {
  CREATED_AT_DESC
  NAME_ASC
  UPDATED_AT_DESC
}

enum DeploymentStatus {
  BUILDING
  CRASHED
  DEPLOYING
  FAILED
  INITIALIZING
  NEEDS_APPROVAL
  QUEUED
  REMOVED
  REMOVING
  SKIPPED
  SLEEPING
  SUCCESS
  WAITING
}

enum EnvironmentPatchStatus {
  APPLYING
  COMMITTED
  STAGED
}

enum SortOrder {
  asc
  desc
}

enum DeploymentInstanceStatus {
  CRASHED
  CREATED
  EXITED
  INITIALIZING
  REMOVED
  REMOVING
  RESTARTING
  RUNNING
  SKIPPED
  STOPPED
}

interface Node {
  id: ID!
}

scalar EnvironmentVariables

scalar EnvironmentConfig

scalar DateTime

scalar DeploymentMeta
`;
