/** Handlers for secrets. Values become `SecretValue` on the way in, and text again only in `revealSecret`'s answer. */

import type { SecretName } from "../../../app/base/find-secret.ts";
import { generateSecret, setSecret } from "../../../app/secrets/change-secret.ts";
import { destroyVersion } from "../../../app/secrets/destroy-version.ts";
import { markCompromised } from "../../../app/secrets/mark-compromised.ts";
import { listSecrets, listVersions, revealSecret } from "../../../app/secrets/read-secrets.ts";
import type { Introduced } from "../../../app/versions/introduce-version.ts";
import { SecretValue } from "../../../core/secret-value.ts";
import type { KeptCopy } from "../../../core/store/kept-copies.ts";
import type { IntroducedAnswer, KeptCopyAnswer, SECRET_OPERATIONS } from "../../../protocol/api-secrets.ts";
import type { Handlers } from "../routes.ts";

export const secretHandlers: Pick<Handlers, keyof typeof SECRET_OPERATIONS> = {
  listSecrets: async ({ query }, { context }) => {
    const secrets = await listSecrets(context, query.environment);
    return {
      secrets: secrets.map(({ secret, current, versions }) => ({
        name: secret.name,
        environment: secret.environment,
        current: current?.version ?? null,
        versions,
        changedAt: current?.createdAt.toISOString() ?? null,
      })),
    };
  },
  setSecret: async ({ params, body }, { context, caller, signal }) => {
    const fields = Object.entries(body.fields).map(
      ([field, value]) => [field, SecretValue.of(value)] as const,
    );
    return introduced(
      params,
      await setSecret(context, caller.actor, params, Object.fromEntries(fields), signal),
    );
  },
  generateSecret: async ({ params }, { context, caller, signal }) => {
    return introduced(params, await generateSecret(context, caller.actor, params, {}, signal));
  },
  listVersions: async ({ params }, { context }) => {
    const versions = await listVersions(context, params);
    return {
      versions: versions.map((version) => ({
        version: version.version,
        state: version.state,
        compromisedAt: version.compromisedAt?.toISOString() ?? null,
        expiresAt: version.expiresAt?.toISOString() ?? null,
        createdBy: version.createdBy,
        createdAt: version.createdAt.toISOString(),
      })),
    };
  },
  revealSecret: async ({ params, body }, { context, caller }) => {
    const { version, fields } = await revealSecret(context, caller.actor, params, body.version);
    return {
      version,
      fields: Object.fromEntries([...fields].map(([field, value]) => [field, value.reveal()])),
    };
  },
  compromiseVersion: async ({ params: { version, ...secret } }, { context, caller }) => {
    const { isInUse, copies } = await markCompromised(context, caller.actor, secret, version);
    return { secret: secret.name, environment: secret.environment, version, isInUse, copies: shown(copies) };
  },
  destroyVersion: async ({ params: { version, ...secret } }, { context, caller }) => {
    const copies = await destroyVersion(context, caller.actor, secret, version);
    return { secret: secret.name, environment: secret.environment, version, copies: shown(copies) };
  },
};

function shown(copies: readonly KeptCopy[]): readonly KeptCopyAnswer[] {
  return copies.map(({ target, environment, file }) => ({ target, environment, file }));
}

function introduced(secret: SecretName, { version, rolloutId, joined }: Introduced): IntroducedAnswer {
  return {
    secret: secret.name,
    environment: secret.environment,
    version,
    rollout: rolloutId,
    ...(joined === undefined ? {} : { joined }),
  };
}
