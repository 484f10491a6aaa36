/**
 * Relay connections, all of one shape.
 * Field for field an excerpt of the public schema that Railway publishes with its command line client
 * (github.com/railwayapp/cli, src/gql/schema.json, MIT licence, snapshot of 2026-08-08); a check compares the two.
 */
export const CONNECTIONS = /* GraphQL */ `
type QueryDeploymentsConnection {
  edges: [QueryDeploymentsConnectionEdge!]!
  pageInfo: PageInfo!
}

type QueryEnvironmentsConnection {
  edges: [QueryEnvironmentsConnectionEdge!]!
  pageInfo: PageInfo!
}

type QueryProjectsConnection {
  edges: [QueryProjectsConnectionEdge!]!
  pageInfo: PageInfo!
}

type QueryDeploymentsConnectionEdge {
  cursor: String!
  node: Deployment!
}

type EnvironmentDeploymentsConnection {
  edges: [EnvironmentDeploymentsConnectionEdge!]!
  pageInfo: PageInfo!
}

type EnvironmentServiceInstancesConnection {
  edges: [EnvironmentServiceInstancesConnectionEdge!]!
  pageInfo: PageInfo!
}

type EnvironmentVariablesConnection {
  edges: [EnvironmentVariablesConnectionEdge!]!
  pageInfo: PageInfo!
}

type QueryEnvironmentsConnectionEdge {
  cursor: String!
  node: Environment!
}

type ProjectEnvironmentsConnection {
  edges: [ProjectEnvironmentsConnectionEdge!]!
  pageInfo: PageInfo!
}

type ProjectServicesConnection {
  edges: [ProjectServicesConnectionEdge!]!
  pageInfo: PageInfo!
}

type QueryProjectsConnectionEdge {
  cursor: String!
  node: Project!
}

type WorkspaceProjectsConnection {
  edges: [WorkspaceProjectsConnectionEdge!]!
  pageInfo: PageInfo!
}

type EnvironmentDeploymentsConnectionEdge {
  cursor: String!
  node: Deployment!
}

type EnvironmentServiceInstancesConnectionEdge {
  cursor: String!
  node: ServiceInstance!
}

type EnvironmentVariablesConnectionEdge {
  cursor: String!
  node: Variable!
}

type ProjectEnvironmentsConnectionEdge {
  cursor: String!
  node: Environment!
}

type ProjectServicesConnectionEdge {
  cursor: String!
  node: Service!
}

type WorkspaceProjectsConnectionEdge {
  cursor: String!
  node: Project!
}
`;
