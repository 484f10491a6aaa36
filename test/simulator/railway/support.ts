/** A small honest client for the simulator's own tests: fetch, no library, no retries. */
import type { RailwaySimulator } from "../../../src/simulator/railway/server.ts";

export interface GraphqlAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly data: Record<string, unknown> | null;
  readonly errors: readonly { readonly message: string; readonly extensions?: Record<string, unknown> }[];
  readonly text: string;
}

export interface Credentials {
  readonly bearer?: string;
  readonly project?: string;
}

export async function ask(
  url: string,
  credentials: Credentials,
  query: string,
  variables: Readonly<Record<string, unknown>> = {},
): Promise<GraphqlAnswer> {
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(credentials.bearer === undefined ? {} : { authorization: `Bearer ${credentials.bearer}` }),
      ...(credentials.project === undefined ? {} : { "project-access-token": credentials.project }),
    },
    body: JSON.stringify({ query, variables }),
  });
  const text = await response.text();
  const parsed = parseBody(text);
  return {
    status: response.status,
    headers: response.headers,
    data: parsed.data ?? null,
    errors: parsed.errors ?? [],
    text,
  };
}

function parseBody(text: string): Partial<Pick<GraphqlAnswer, "data" | "errors">> {
  try {
    return JSON.parse(text) as Partial<Pick<GraphqlAnswer, "data" | "errors">>;
  } catch {
    return {};
  }
}

/** The messages of an answer's errors. */
export function messages({ errors }: GraphqlAnswer): string[] {
  return errors.map(({ message }) => message);
}

/** What a test does most often, with the default project token. */
export class Client {
  readonly #simulator: RailwaySimulator;
  readonly #credentials: Credentials;

  constructor(simulator: RailwaySimulator, credentials?: Credentials) {
    this.#simulator = simulator;
    this.#credentials = credentials ?? { project: simulator.defaults.projectToken };
  }

  ask(query: string, variables: Readonly<Record<string, unknown>> = {}): Promise<GraphqlAnswer> {
    const { projectId, environmentId } = this.#simulator.defaults;
    return ask(this.#simulator.url, this.#credentials, query, { projectId, environmentId, ...variables });
  }

  upsert(
    serviceId: string | undefined,
    values: Readonly<Record<string, string>>,
    options: { readonly skipDeploys?: boolean; readonly replace?: boolean } = { skipDeploys: true },
  ): Promise<GraphqlAnswer> {
    const { projectId, environmentId } = this.#simulator.defaults;
    const input = { projectId, environmentId, serviceId, variables: values, ...options };
    return this.ask(
      `mutation Upsert($input: VariableCollectionUpsertInput!) { variableCollectionUpsert(input: $input) }`,
      { input },
    );
  }

  remove(serviceId: string | undefined, name: string): Promise<GraphqlAnswer> {
    const { projectId, environmentId } = this.#simulator.defaults;
    return this.ask(`mutation Delete($input: VariableDeleteInput!) { variableDelete(input: $input) }`, {
      input: { projectId, environmentId, serviceId, name },
    });
  }

  /** The stored map, as a reader sees it. */
  async stored(serviceId?: string): Promise<unknown> {
    return this.#variables(serviceId, true);
  }

  async rendered(serviceId?: string): Promise<unknown> {
    return this.#variables(serviceId, false);
  }

  async #variables(serviceId: string | undefined, unrendered: boolean): Promise<unknown> {
    const answer = await this.ask(
      `query Variables($projectId: String!, $environmentId: String!, $serviceId: String, $unrendered: Boolean) {
        variables(projectId: $projectId, environmentId: $environmentId, serviceId: $serviceId, unrendered: $unrendered)
      }`,
      { serviceId: serviceId ?? null, unrendered },
    );
    return answer.data?.["variables"];
  }

  redeploy(deploymentId: string): Promise<GraphqlAnswer> {
    return this.ask(`mutation Redeploy($id: String!) { deploymentRedeploy(id: $id) { id status } }`, {
      id: deploymentId,
    });
  }

  /** The service instance with everything a follower looks at. */
  async instance(serviceId: string): Promise<unknown> {
    const answer = await this.ask(
      `query Instance($environmentId: String!, $serviceId: String!) {
        serviceInstance(environmentId: $environmentId, serviceId: $serviceId) {
          latestDeployment { ...parts } activeDeployments { ...parts }
        }
      }
      fragment parts on Deployment { id status snapshotId canRedeploy deploymentStopped instances { status } }`,
      { serviceId },
    );
    return answer.data?.["serviceInstance"];
  }
}
