/** Railway's answers, parsed strictly where we decide by them: an unknown enum value is "unknown", never success. */
import { z } from "zod";
import { LockstepError } from "../../../../core/errors.ts";

const pageInfo = z.object({ hasNextPage: z.boolean(), endCursor: z.string().nullable() });

/** `EnvironmentVariables`: name to text, or to null for a value that cannot be read. */
const variables = z.record(z.string(), z.string().nullable());

const variableMetadata = z.object({
  edges: z.array(
    z.object({
      node: z.object({
        name: z.string(),
        isSealed: z.boolean(),
        serviceId: z.string().nullable(),
        updatedAt: z.string(),
        references: z.array(z.string()),
      }),
    }),
  ),
  pageInfo,
});
export type VariableMetadata = z.output<typeof variableMetadata>;

/**
 * All variables as stored: services by id, the shared ones beside them. Sealed ones, and those that are not shown, have
 * no value. A missing part must be an error, or a forgotten place would read as "there is none", and a service that
 * refers to another one as "nobody does". The shape is not published.
 */
const storedVariable = z.looseObject({ value: z.string().nullish(), isSealed: z.boolean().nullish() });
const storedVariables = z.record(z.string(), storedVariable.nullable());
const wholeConfig = z.looseObject({
  services: z.record(z.string(), z.looseObject({ variables: storedVariables.nullish() })),
  sharedVariables: storedVariables.nullish(),
});
export type WholeConfig = z.output<typeof wholeConfig>;
export type StoredVariable = z.output<typeof storedVariable>;

const serviceNames = z.object({
  edges: z.array(z.object({ node: z.object({ serviceId: z.string(), serviceName: z.string() }) })),
  pageInfo,
});
export type ServiceNames = z.output<typeof serviceNames>;

const staged = z.object({ id: z.string(), status: z.string(), patch: z.unknown() });

export const observedShared = z.object({
  variables,
  environment: z.object({
    id: z.string(),
    projectId: z.string(),
    config: wholeConfig,
    variables: variableMetadata,
    serviceInstances: serviceNames,
  }),
  environmentStagedChanges: staged,
});

export const observedService = observedShared.extend({
  serviceInstance: z.object({ id: z.string(), serviceName: z.string(), deletedAt: z.string().nullable() }),
});

export const discoveredEnvironment = z.object({
  environment: z.object({
    id: z.string(),
    projectId: z.string(),
    config: wholeConfig,
    serviceInstances: serviceNames,
  }),
});

export const moreServices = z.object({ environment: z.object({ serviceInstances: serviceNames }) });

export const moreVariables = z.object({ environment: z.object({ variables: variableMetadata }) });

const deployment = z.object({
  id: z.string(),
  status: z.string(),
  createdAt: z.string(),
  canRedeploy: z.boolean(),
  deploymentStopped: z.boolean(),
  instances: z.array(z.object({ id: z.string(), status: z.string() })),
});
export type Deployment = z.output<typeof deployment>;

const unitDeployments = {
  cronSchedule: z.string().nullable(),
  latestDeployment: deployment.nullable(),
  activeDeployments: z.array(deployment),
};

export const unitAnswer = z.object({
  serviceInstance: z.object({ serviceName: z.string(), ...unitDeployments }),
});

export const serviceSource = z.object({
  serviceInstance: z.object({
    source: z.object({ image: z.string().nullable(), repo: z.string().nullable() }).nullable(),
    latestDeployment: z.object({ id: z.string() }).nullable(),
  }),
});

const previews = z.object({
  prDeploys: z.boolean(),
  botPrEnvironments: z.boolean(),
  baseEnvironmentId: z.string().nullable(),
  primaryEnvironmentId: z.string().nullable(),
});
export const projectPreviews = z.object({ project: previews });
export const tokenPreviews = z.object({ projectToken: z.object({ project: previews }) });

export const environmentUnits = z.object({
  environment: z.object({
    serviceInstances: z.object({
      edges: z.array(
        z.object({ node: z.object({ serviceId: z.string(), serviceName: z.string(), ...unitDeployments }) }),
      ),
      pageInfo,
    }),
  }),
});
export const environmentView = z.object({
  environment: z.object({
    id: z.string(),
    projectId: z.string(),
    config: wholeConfig,
    variables: variableMetadata,
    serviceInstances: environmentUnits.shape.environment.shape.serviceInstances,
  }),
  environmentStagedChanges: staged,
});

export type UnitDeployments = z.output<
  typeof environmentUnits
>["environment"]["serviceInstances"]["edges"][number]["node"];

export const snapshotAnswer = z.object({
  deploymentSnapshot: z.object({ id: z.string(), variables }).nullable(),
  variables,
});

export const projectTokenAnswer = z.object({
  projectToken: z.object({ projectId: z.string(), environmentId: z.string() }),
});

export const accountTokenAnswer = z.object({
  apiToken: z.object({ workspaces: z.array(z.object({ id: z.string(), name: z.string() })) }),
});

export const environmentAnswer = z.object({
  environment: z.object({
    id: z.string(),
    name: z.string(),
    projectId: z.string(),
    canAccess: z.boolean(),
    deletedAt: z.string().nullable(),
  }),
});

const foundEnvironments = z.object({
  edges: z.array(
    z.object({
      node: z.object({
        id: z.string(),
        name: z.string(),
        canAccess: z.boolean(),
        deletedAt: z.string().nullable(),
      }),
    }),
  ),
  pageInfo,
});
export type FoundEnvironments = z.output<typeof foundEnvironments>;

export const projectTokenPlace = z.object({
  projectToken: z.object({
    project: z.object({ id: z.string(), name: z.string() }),
    environment: z.object({ id: z.string(), name: z.string(), canAccess: z.boolean() }),
  }),
});

export const projectsAnswer = z.object({
  projects: z.object({
    edges: z.array(
      z.object({ node: z.object({ id: z.string(), name: z.string(), environments: foundEnvironments }) }),
    ),
    pageInfo,
  }),
});

export const moreEnvironments = z.object({ environments: foundEnvironments });

/** Throws TARGET_PROTOCOL; what was answered is not quoted, it holds values. */
export function readAnswer<Schema extends z.ZodType>(
  schema: Schema,
  answer: unknown,
  target: string,
): z.output<Schema> {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new LockstepError(
    "TARGET_PROTOCOL",
    `Railway's answer for target "${target}" has another form than expected.`,
    {
      details: { at: parsed.error.issues.slice(0, 3).map((issue) => issue.path.map(String).join(".")) },
    },
  );
}
