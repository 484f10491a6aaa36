/**
 * Every GraphQL document that Lockstep sends to Railway, by operation name. Only fields of the published schema; ids
 * are `String!` as arguments (an id declared `ID!` is rejected). CI validates them against Railway's introspection.
 */
const DEPLOYMENT = `id status createdAt canRedeploy deploymentStopped instances { id status }`;

export const DOCUMENTS = {
  /** Stored values as written: references intact, sealed ones null. With metadata, staged changes and the unit. */
  ObserveService: `
    query ObserveService($projectId: String!, $environmentId: String!, $serviceId: String!, $after: String) {
      variables(projectId: $projectId, environmentId: $environmentId, serviceId: $serviceId, unrendered: true)
      environment(id: $environmentId) {
        id
        projectId
        variables(first: 500, after: $after) {
          edges { node { name isSealed serviceId updatedAt } }
          pageInfo { hasNextPage endCursor }
        }
      }
      environmentStagedChanges(environmentId: $environmentId) { id status patch }
      serviceInstance(environmentId: $environmentId, serviceId: $serviceId) { id serviceName }
    }`,

  /** The shared scope, and through the configuration which services refer to it. */
  ObserveShared: `
    query ObserveShared($projectId: String!, $environmentId: String!, $after: String) {
      variables(projectId: $projectId, environmentId: $environmentId, unrendered: true)
      environment(id: $environmentId) {
        id
        projectId
        config(decryptVariables: true)
        variables(first: 500, after: $after) {
          edges { node { name isSealed serviceId updatedAt } }
          pageInfo { hasNextPage endCursor }
        }
        serviceInstances(first: 500) { edges { node { serviceId serviceName } } pageInfo { hasNextPage endCursor } }
      }
      environmentStagedChanges(environmentId: $environmentId) { id status patch }
    }`,

  MoreVariables: `
    query MoreVariables($environmentId: String!, $after: String) {
      environment(id: $environmentId) {
        id
        variables(first: 500, after: $after) {
          edges { node { name isSealed serviceId updatedAt } }
          pageInfo { hasNextPage endCursor }
        }
      }
    }`,

  UpsertVariables: `
    mutation UpsertVariables($input: VariableCollectionUpsertInput!) { variableCollectionUpsert(input: $input) }`,

  DeleteVariable: `
    mutation DeleteVariable($input: VariableDeleteInput!) { variableDelete(input: $input) }`,

  Unit: `
    query Unit($environmentId: String!, $serviceId: String!) {
      serviceInstance(environmentId: $environmentId, serviceId: $serviceId) {
        id
        serviceName
        latestDeployment { ${DEPLOYMENT} }
        activeDeployments { ${DEPLOYMENT} }
      }
    }`,

  /** One request for all units of an environment. */
  FollowEnvironment: `
    query FollowEnvironment($environmentId: String!, $after: String) {
      environment(id: $environmentId) {
        id
        serviceInstances(first: 500, after: $after) {
          edges {
            node {
              serviceId
              serviceName
              latestDeployment { ${DEPLOYMENT} }
              activeDeployments { ${DEPLOYMENT} }
            }
          }
          pageInfo { hasNextPage endCursor }
        }
      }
    }`,

  Snapshot: `
    query Snapshot($deploymentId: String!) { deploymentSnapshot(deploymentId: $deploymentId) { id variables } }`,

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

  Environment: `
    query Environment($environmentId: String!) {
      environment(id: $environmentId) { id name projectId canAccess deletedAt }
    }`,
} as const;

export type OperationName = keyof typeof DOCUMENTS;
