/** The root fields that tell. A write that is to be ignored is authorised, acknowledged, and does nothing. */

import { randomUUID } from "node:crypto";
import { refusal } from "../refusal.ts";
import { parsePatch } from "../world/environment-config.ts";
import { SHARED } from "../world/variable-store.ts";
import type { RequestContext } from "./context.ts";

interface Scope {
  readonly projectId: string;
  readonly environmentId: string;
  readonly serviceId?: string | null;
}
interface UpsertOne extends Scope {
  readonly name: string;
  readonly value: string;
  readonly skipDeploys: boolean;
}
interface UpsertMany extends Scope {
  readonly variables: Readonly<Record<string, string>>;
  readonly replace: boolean;
  readonly skipDeploys: boolean;
}
interface InstanceArguments {
  readonly environmentId: string;
  readonly serviceId: string;
}

export const MUTATIONS = {
  variableCollectionUpsert: ({ input }: { input: UpsertMany }, context: RequestContext) => {
    const { variables, replace, skipDeploys } = input;
    return upsert(input, { variables, replace, skipDeploys, cause: "variableCollectionUpsert" }, context);
  },

  variableUpsert: ({ input }: { input: UpsertOne }, context: RequestContext) => {
    const variables = { [input.name]: input.value };
    const { skipDeploys } = input;
    return upsert(input, { variables, replace: false, skipDeploys, cause: "variableUpsert" }, context);
  },

  variableDelete: ({ input }: { input: Scope & { name: string } }, context: RequestContext) => {
    const { environment, serviceId } = scopeOf(input, context);
    if (!context.effects.ignoreWrites) context.platform.deleteVariable(environment, serviceId, input.name);
    return true;
  },

  sharedVariableConfigure: (
    {
      input,
    }: {
      input: Scope & {
        name: string;
        enabledServiceIds: readonly string[];
        disabledServiceIds: readonly string[];
      };
    },
    { access, effects, platform, views }: RequestContext,
  ) => {
    const environment = access.openEnvironment(input.environmentId, input.projectId);
    for (const id of [...input.enabledServiceIds, ...input.disabledServiceIds])
      access.instance(environment, id);
    if (!effects.ignoreWrites) {
      platform.configureShared(environment, input.name, input.enabledServiceIds, input.disabledServiceIds);
    }
    const variable = environment.variables.scope(SHARED).get(input.name);
    if (variable === undefined) throw refusal("Variable not found");
    return views.variable(environment, SHARED, variable);
  },

  serviceInstanceRedeploy: (args: InstanceArguments, context: RequestContext) => {
    const instance = instanceOf(args, context);
    if (!context.effects.ignoreWrites) context.platform.redeployLatest(instance, "serviceInstanceRedeploy");
    return true;
  },

  serviceInstanceDeploy: (args: InstanceArguments, context: RequestContext) => {
    const instance = instanceOf(args, context);
    if (!context.effects.ignoreWrites) context.platform.deployFromSource(instance, "serviceInstanceDeploy");
    return true;
  },

  serviceInstanceDeployV2: (
    args: InstanceArguments & { commitSha?: string | null },
    context: RequestContext,
  ) => {
    const instance = instanceOf(args, context);
    if (args.commitSha && instance.settings.source?.repo === null) throw refusal("Commit not found");
    if (context.effects.ignoreWrites) return randomUUID();
    return context.platform.deployFromSource(instance, "serviceInstanceDeployV2").id;
  },

  deploymentRedeploy: ({ id }: { id: string }, { access, effects, platform, views }: RequestContext) => {
    const deployment = access.deployment(id);
    if (effects.ignoreWrites) return views.deployment(deployment);
    return views.deployment(platform.redeploy(deployment, "deploymentRedeploy"));
  },

  deploymentRollback: ({ id }: { id: string }, { access, effects, platform }: RequestContext) => {
    const deployment = access.deployment(id);
    if (!effects.ignoreWrites) platform.rollback(deployment);
    return true;
  },

  deploymentCancel: onDeployment((id, { platform, access }) => platform.cancel(access.deployment(id))),
  deploymentRestart: onDeployment((id, { platform, access }) =>
    platform.deployer.restart(access.deployment(id)),
  ),
  deploymentRemove: onDeployment((id, { platform, access }) =>
    platform.deployer.remove(access.deployment(id)),
  ),
  deploymentStop: onDeployment((id, { platform, access }) => platform.deployer.stop(access.deployment(id))),
  deploymentApprove: onDeployment((id, { platform, access }) => {
    const deployment = access.deployment(id);
    if (deployment.status === "NEEDS_APPROVAL") platform.deployer.release((one) => one === deployment);
  }),

  environmentStageChanges: (
    args: { environmentId: string; input: unknown; merge?: boolean | null },
    { access, effects, patches, views }: RequestContext,
  ) => {
    const environment = access.openEnvironment(args.environmentId);
    const content = parsePatch(args.input);
    if (effects.ignoreWrites) return views.patch(environment.staged);
    return views.patch(patches.stage(environment, content, args.merge === true));
  },

  environmentPatchCommitStaged: (
    args: { environmentId: string; commitMessage?: string | null; skipDeploys?: boolean | null },
    { access, effects, patches }: RequestContext,
  ) => {
    const environment = access.openEnvironment(args.environmentId);
    if (effects.ignoreWrites) return randomUUID();
    return patches.commitStaged(environment, args.commitMessage ?? null, args.skipDeploys === true);
  },

  environmentPatchCommit: (
    args: { environmentId: string; commitMessage?: string | null; patch?: unknown },
    { access, effects, patches }: RequestContext,
  ) => {
    const environment = access.openEnvironment(args.environmentId);
    const content = parsePatch(args.patch ?? {});
    if (effects.ignoreWrites) return randomUUID();
    return patches.commit(environment, content, args.commitMessage ?? null);
  },
};

function upsert(
  scope: Scope,
  write: {
    variables: Readonly<Record<string, string>>;
    replace: boolean;
    skipDeploys: boolean;
    cause: string;
  },
  context: RequestContext,
): true {
  const { environment, serviceId } = scopeOf(scope, context);
  if (!context.effects.ignoreWrites) context.platform.upsert({ environment, serviceId, ...write });
  return true;
}

/** No `serviceId` means the shared scope, however it came to be missing. */
function scopeOf(scope: Scope, { access }: RequestContext) {
  const environment = access.openEnvironment(scope.environmentId, scope.projectId);
  const serviceId = scope.serviceId ?? null;
  if (serviceId !== null) access.instance(environment, serviceId);
  return { environment, serviceId };
}

function instanceOf({ environmentId, serviceId }: InstanceArguments, { access }: RequestContext) {
  return access.instance(access.openEnvironment(environmentId), serviceId);
}

function onDeployment(action: (id: string, context: RequestContext) => void) {
  return ({ id }: { id: string }, context: RequestContext): true => {
    if (context.effects.ignoreWrites) context.access.deployment(id);
    else action(id, context);
    return true;
  };
}
