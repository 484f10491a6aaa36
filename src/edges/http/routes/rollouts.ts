/** Handlers that move secrets. */

import { forceMember } from "../../../app/rollouts/force-member.ts";
import { resumeRollout } from "../../../app/rollouts/resume-rollout.ts";
import { rollbackRollout } from "../../../app/rollouts/rollback-rollout.ts";
import { viewRollout } from "../../../app/rollouts/view-rollouts.ts";
import { listVersions } from "../../../app/secrets/read-secrets.ts";
import { previewRotation, rotateSecret } from "../../../app/secrets/rotate-secret.ts";
import { copiesLeftBehind, viewBindings } from "../../../app/status/bindings.ts";
import type { ROLLOUT_OPERATIONS } from "../../../protocol/api-rollouts.ts";
import type { Handlers } from "../routes.ts";

export const rolloutHandlers: Pick<Handlers, keyof typeof ROLLOUT_OPERATIONS> = {
  rotateSecret: async ({ params, body: { dryRun, ...request } }, { context, caller, signal }) => {
    const known = { secret: params.name, environment: params.environment };
    if (dryRun === true) {
      const { secretId, from, to, strategy, phases, deployments, settleForMs, because } =
        await previewRotation(context, params, request, signal);
      return {
        ...known,
        rollout: null,
        from,
        to,
        strategy,
        state: "planned",
        bindings: await viewBindings(context, secretId),
        leftBehind: [...(await copiesLeftBehind(context, secretId))],
        preview: { phases: [...phases], deployments, settleForMs, because: [...because] },
      };
    }
    const { secretId, version, rolloutId, joined } = await rotateSecret(
      context,
      caller.actor,
      params,
      request,
      signal,
    );
    const leftBehind = [...(await copiesLeftBehind(context, secretId))];
    const alsoJoined = joined === undefined ? {} : { joined };
    if (rolloutId !== null)
      return { ...rotationOf(await viewRollout(context, rolloutId)), ...alsoJoined, leftBehind };
    const older = (await listVersions(context, params)).filter((known) => known.version < version);
    const from = older.find(({ state }) => state === "retired")?.version ?? null;
    return {
      ...known,
      rollout: null,
      from,
      to: version,
      strategy: "replace",
      state: "done",
      bindings: [],
      ...alsoJoined,
      leftBehind,
    };
  },
  rollbackRollout: async ({ params }, { context, caller }) => {
    const { rollout } = await viewRollout(context, params.rollout);
    return viewRollout(context, await rollbackRollout(context, caller.actor, rollout));
  },
  forceRollout: async ({ params, body }, { context, caller }) => {
    const { rollout } = await viewRollout(context, params.rollout);
    await forceMember(context, caller.actor, rollout, body);
    return viewRollout(context, rollout);
  },
  resumeRollout: async ({ params }, { context, caller }) => {
    // Also turns what is no id into NOT_FOUND before the store sees it.
    const { rollout } = await viewRollout(context, params.rollout);
    await resumeRollout(context, caller.actor, rollout);
    return viewRollout(context, rollout);
  },
};

function rotationOf(view: Awaited<ReturnType<typeof viewRollout>>) {
  const { rollout, secret, environment, from, to, strategy, state, bindings } = view;
  return { rollout, secret, environment, from, to, strategy, state, bindings };
}
