/**
 * What can be asked and told.
 * Field for field an excerpt of the public schema that Railway publishes with its command line client
 * (github.com/railwayapp/cli, src/gql/schema.json, MIT licence, snapshot of 2026-08-08); a check compares the two.
 */
export const ROOTS = /* GraphQL */ `
type Query {
  apiToken: ApiTokenContext!
  deployment(id: String!): Deployment!
  deploymentSnapshot(deploymentId: String!): DeploymentSnapshot
  deployments(after: String, before: String, first: Int, input: DeploymentListInput!, last: Int): QueryDeploymentsConnection!
  environment(id: String!, projectId: String): Environment!
  environmentPatch(id: String!): EnvironmentPatch!
  environmentStagedChanges(environmentId: String!): EnvironmentPatch!
  environments(after: String, before: String, first: Int, isEphemeral: Boolean, last: Int, projectId: String!): QueryEnvironmentsConnection!
  me: User!
  project(id: String!): Project!
  projectToken: ProjectToken!
  projects(after: String, before: String, first: Int, includeDeleted: Boolean, last: Int, orderBy: ProjectsOrderBy, userId: String, workspaceId: String): QueryProjectsConnection!
  service(id: String!): Service!
  serviceInstance(environmentId: String!, serviceId: String!): ServiceInstance!
  variables(environmentId: String!, projectId: String!, serviceId: String, unrendered: Boolean): EnvironmentVariables!
  variablesForServiceDeployment(environmentId: String!, projectId: String!, serviceId: String!): EnvironmentVariables!
  workspace(workspaceId: String!): Workspace!
}

type Mutation {
  deploymentApprove(id: String!): Boolean!
  deploymentCancel(id: String!): Boolean!
  deploymentRedeploy(id: String!, usePreviousImageTag: Boolean): Deployment!
  deploymentRemove(id: String!): Boolean!
  deploymentRestart(id: String!): Boolean!
  deploymentRollback(id: String!): Boolean!
  deploymentStop(id: String!): Boolean!
  environmentPatchCommit(commitMessage: String, environmentId: String!, patch: EnvironmentConfig): String!
  environmentPatchCommitStaged(commitMessage: String, environmentId: String!, skipDeploys: Boolean): String!
  environmentStageChanges(environmentId: String!, input: EnvironmentConfig!, merge: Boolean): EnvironmentPatch!
  serviceInstanceDeploy(commitSha: String, environmentId: String!, latestCommit: Boolean, serviceId: String!): Boolean!
  serviceInstanceDeployV2(commitSha: String, environmentId: String!, serviceId: String!): String!
  serviceInstanceRedeploy(environmentId: String!, serviceId: String!): Boolean!
  sharedVariableConfigure(input: SharedVariableConfigureInput!): Variable!
  variableCollectionUpsert(input: VariableCollectionUpsertInput!): Boolean!
  variableDelete(input: VariableDeleteInput!): Boolean!
  variableUpsert(input: VariableUpsertInput!): Boolean!
}
`;
