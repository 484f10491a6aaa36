/**
 * What answers consist of.
 * Field for field an excerpt of the public schema that Railway publishes with its command line client
 * (github.com/railwayapp/cli, src/gql/schema.json, MIT licence, snapshot of 2026-08-08); a check compares the two.
 */
export const OBJECTS = /* GraphQL */ `
type ApiTokenContext {
  workspaces: [ApiTokenWorkspace!]!
}

type Deployment implements Node {
  canRedeploy: Boolean!
  canRollback: Boolean!
  createdAt: DateTime!
  deploymentStopped: Boolean!
  environment: Environment!
  environmentId: String!
  id: ID!
  instances: [DeploymentDeploymentInstance!]!
  meta: DeploymentMeta
  projectId: String!
  service: Service!
  serviceId: String
  snapshotId: String
  staticUrl: String
  status: DeploymentStatus!
  statusUpdatedAt: DateTime
  updatedAt: DateTime!
  url: String
}

type DeploymentSnapshot implements Node {
  createdAt: DateTime!
  id: ID!
  updatedAt: DateTime!
  variables: EnvironmentVariables!
}

type Environment implements Node {
  canAccess: Boolean!
  config(decryptVariables: Boolean): EnvironmentConfig!
  configEtag: String!
  createdAt: DateTime!
  deletedAt: DateTime
  deployments(after: String, before: String, first: Int, last: Int): EnvironmentDeploymentsConnection!
  id: ID!
  isEphemeral: Boolean!
  name: String!
  projectId: String!
  serviceInstances(after: String, before: String, first: Int, last: Int): EnvironmentServiceInstancesConnection!
  unmergedChangesCount: Int
  updatedAt: DateTime!
  variables(after: String, before: String, first: Int, last: Int): EnvironmentVariablesConnection!
}

type EnvironmentPatch implements Node {
  appliedAt: DateTime
  createdAt: DateTime!
  environment: Environment!
  environmentId: String!
  id: ID!
  lastAppliedError: String
  message: String
  patch(decryptVariables: Boolean): EnvironmentConfig!
  status: EnvironmentPatchStatus!
  updatedAt: DateTime!
}

type User implements Node {
  apiTokenRateLimit: ApiTokenRateLimit
  email: String!
  id: ID!
  name: String
  workspaces: [Workspace!]!
}

type Project implements Node {
  baseEnvironmentId: String
  botPrEnvironments: Boolean!
  createdAt: DateTime!
  deletedAt: DateTime
  environments(after: String, before: String, first: Int, isEphemeral: Boolean, last: Int, sort: SortOrder): ProjectEnvironmentsConnection!
  id: ID!
  name: String!
  prDeploys: Boolean!
  primaryEnvironmentId: String
  services(after: String, before: String, first: Int, last: Int): ProjectServicesConnection!
  updatedAt: DateTime!
  workspaceId: String
}

type ProjectToken implements Node {
  createdAt: DateTime!
  displayToken: String!
  environment: Environment!
  environmentId: String!
  id: ID!
  name: String!
  project: Project!
  projectId: String!
}

type Service implements Node {
  createdAt: DateTime!
  deletedAt: DateTime
  id: ID!
  name: String!
  project: Project!
  projectId: String!
  updatedAt: DateTime!
}

type ServiceInstance implements Node {
  activeDeployments: [Deployment!]!
  createdAt: DateTime!
  cronSchedule: String
  deletedAt: DateTime
  drainingSeconds: Int
  environmentId: String!
  healthcheckPath: String
  healthcheckTimeout: Int
  id: ID!
  latestDeployment: Deployment
  nextCronRunAt: DateTime
  numReplicas: Int
  overlapSeconds: Int
  region: String
  service: Service!
  serviceId: String!
  serviceName: String!
  sleepApplication: Boolean
  source: ServiceSource
  startCommand: String
  updatedAt: DateTime!
}

type Workspace implements Node {
  apiTokenRateLimit: ApiTokenRateLimit
  id: ID!
  name: String!
  projects(after: String, before: String, first: Int, last: Int): WorkspaceProjectsConnection!
}

type Variable implements Node {
  createdAt: DateTime!
  environment: Environment!
  environmentId: String
  id: ID!
  isSealed: Boolean!
  name: String!
  references: [String!]!
  service: Service!
  serviceId: String
  updatedAt: DateTime!
}

type ApiTokenWorkspace {
  id: String!
  name: String!
}

type DeploymentDeploymentInstance {
  id: String!
  status: DeploymentInstanceStatus!
}

type PageInfo {
  endCursor: String
  hasNextPage: Boolean!
  hasPreviousPage: Boolean!
  startCursor: String
}

type ApiTokenRateLimit {
  remainingPoints: Int!
  resetsAt: String!
}

type ServiceSource {
  image: String
  repo: String
}
`;
