/**
 * Every GraphQL document that Lockstep sends to Railway, by operation name. Only fields of the published schema; ids
 * are `String!` as arguments (an id declared `ID!` is rejected). CI validates them against Railway's introspection.
 */
const DEPLOYMENT = `id status createdAt canRedeploy deploymentStopped instances { id status }`;

const VARIABLES = `edges { node { name isSealed serviceId updatedAt references } } pageInfo { hasNextPage endCursor }`;

/** Whether pull requests get environments, and from which one they are copied. */
const PREVIEWS = `prDeploys botPrEnvironments baseEnvironmentId primaryEnvironmentId`;

/** How every service of an environment is deployed. */
const UNITS = `
  edges {
    node {
      serviceId
      serviceName
      cronSchedule
      latestDeployment { ${DEPLOYMENT} }
      activeDeployments { ${DEPLOYMENT} }
    }
  }
  pageInfo { hasNextPage endCursor }`;

export const DOCUMENTS = {
  /**
   * Stored values as written: references intact, sealed ones null. With metadata, staged changes and the unit; and through
   * the configuration, which services refer to this one. One request.
   */
  ObserveService: `
    query ObserveService($projectId: String!, $environmentId: String!, $serviceId: String!, $after: String) {
      variables(projectId: $projectId, environmentId: $environmentId, serviceId: $serviceId, unrendered: true)
      environment(id: $environmentId) {
        id
        projectId
        config(decryptVariables: true)
        variables(first: 500, after: $after) { ${VARIABLES} }
        serviceInstances(first: 500) { edges { node { serviceId serviceName } } pageInfo { hasNextPage endCursor } }
      }
      environmentStagedChanges(environmentId: $environmentId) { id status patch }
      serviceInstance(environmentId: $environmentId, serviceId: $serviceId) { id serviceName deletedAt }
    }`,

  /** The shared scope, and through the configuration which services refer to it. */
  ObserveShared: `
    query ObserveShared($projectId: String!, $environmentId: String!, $after: String) {
      variables(projectId: $projectId, environmentId: $environmentId, unrendered: true)
      environment(id: $environmentId) {
        id
        projectId
        config(decryptVariables: true)
        variables(first: 500, after: $after) { ${VARIABLES} }
        serviceInstances(first: 500) { edges { node { serviceId serviceName } } pageInfo { hasNextPage endCursor } }
      }
      environmentStagedChanges(environmentId: $environmentId) { id status patch }
    }`,

  /** All of an environment, for looks at many of its targets. */
  ObserveEnvironment: `
    query ObserveEnvironment($environmentId: String!) {
      environment(id: $environmentId) {
        id
        projectId
        config(decryptVariables: true)
        variables(first: 500) { ${VARIABLES} }
        serviceInstances(first: 500) { ${UNITS} }
      }
      environmentStagedChanges(environmentId: $environmentId) { id status patch }
    }`,

  /** Looking around: every service's stored variables and the shared ones, with the services' names, in one request. */
  DiscoverEnvironment: `
    query DiscoverEnvironment($environmentId: String!, $after: String) {
      environment(id: $environmentId) {
        id
        projectId
        config(decryptVariables: true)
        serviceInstances(first: 500, after: $after) {
          edges { node { serviceId serviceName } }
          pageInfo { hasNextPage endCursor }
        }
      }
    }`,

  MoreServices: `
    query MoreServices($environmentId: String!, $after: String) {
      environment(id: $environmentId) {
        id
        serviceInstances(first: 500, after: $after) {
          edges { node { serviceId serviceName } }
          pageInfo { hasNextPage endCursor }
        }
      }
    }`,

  MoreVariables: `
    query MoreVariables($environmentId: String!, $after: String) {
      environment(id: $environmentId) {
        id
        variables(first: 500, after: $after) { ${VARIABLES} }
      }
    }`,

  UpsertVariables: `
    mutation UpsertVariables($input: VariableCollectionUpsertInput!) { variableCollectionUpsert(input: $input) }`,

  /** One; `deleteVariables` makes the same for several in one request. */
  DeleteVariables: deleteVariables(1),

  Unit: `
    query Unit($environmentId: String!, $serviceId: String!) {
      serviceInstance(environmentId: $environmentId, serviceId: $serviceId) {
        id
        serviceName
        cronSchedule
        latestDeployment { ${DEPLOYMENT} }
        activeDeployments { ${DEPLOYMENT} }
      }
    }`,

  /** One request for all units of an environment. */
  FollowEnvironment: `
    query FollowEnvironment($environmentId: String!, $after: String) {
      environment(id: $environmentId) {
        id
        serviceInstances(first: 500, after: $after) { ${UNITS} }
      }
    }`,

  /** What a deployment was started with, beside what is stored for its service. */
  Snapshot: `
    query Snapshot($deploymentId: String!, $projectId: String!, $environmentId: String!, $serviceId: String!) {
      deploymentSnapshot(deploymentId: $deploymentId) { id variables }
      variables(projectId: $projectId, environmentId: $environmentId, serviceId: $serviceId, unrendered: true)
    }`,

  Redeploy: `
    mutation Redeploy($deploymentId: String!) { deploymentRedeploy(id: $deploymentId) { id } }`,

  Deploy: `
    mutation Deploy($environmentId: String!, $serviceId: String!) {
      serviceInstanceDeployV2(environmentId: $environmentId, serviceId: $serviceId)
    }`,

  ProjectToken: `
    query ProjectToken { projectToken { projectId environmentId } }`,

  AccountToken: `
    query AccountToken { apiToken { workspaces { id name } } }`,

  /** For a person who chooses: which place a project token belongs to, in words. */
  ProjectTokenPlace: `
    query ProjectTokenPlace {
      projectToken { project { id name } environment { id name canAccess } }
    }`,

  /** Environments of pull requests come and go: nothing is kept the same in them. */
  Projects: `
    query Projects($workspaceId: String!, $after: String) {
      projects(workspaceId: $workspaceId, first: 100, after: $after) {
        edges {
          node {
            id
            name
            environments(first: 100, isEphemeral: false) {
              edges { node { id name canAccess deletedAt } }
              pageInfo { hasNextPage endCursor }
            }
          }
        }
        pageInfo { hasNextPage endCursor }
      }
    }`,

  MoreEnvironments: `
    query MoreEnvironments($projectId: String!, $after: String) {
      environments(projectId: $projectId, first: 100, after: $after, isEphemeral: false) {
        edges { node { id name canAccess deletedAt } }
        pageInfo { hasNextPage endCursor }
      }
    }`,

  /** Where a service's code comes from. */
  Source: `
    query Source($environmentId: String!, $serviceId: String!) {
      serviceInstance(environmentId: $environmentId, serviceId: $serviceId) {
        id
        source { image repo }
        latestDeployment { id }
      }
    }`,

  ProjectPreviews: `
    query ProjectPreviews($projectId: String!) { project(id: $projectId) { id ${PREVIEWS} } }`,

  TokenPreviews: `
    query TokenPreviews { projectToken { project { id ${PREVIEWS} } } }`,

  Environment: `
    query Environment($environmentId: String!) {
      environment(id: $environmentId) { id name projectId canAccess deletedAt }
    }`,
} as const;

export type OperationName = keyof typeof DOCUMENTS;

/** There is no collection delete; aliases make one request of several. They are executed one after the other. */
export function deleteVariables(count: number): string {
  const positions = Array.from({ length: count }, (_, position) => position);
  return `
    mutation DeleteVariables(${positions.map((at) => `$input${at}: VariableDeleteInput!`).join(", ")}) {
      ${positions.map((at) => `delete${at}: variableDelete(input: $input${at})`).join("\n      ")}
    }`;
}
