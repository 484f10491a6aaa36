/** The table of repositories: a further one is one line here, beside its file in `repositories/`. */
import type { Kysely } from "kysely";
import type { Repositories } from "../../core/store/store.ts";
import { createActivationRepo } from "./repositories/activations.ts";
import { createAgentRepo } from "./repositories/agents.ts";
import { createAlertRepo } from "./repositories/alerts.ts";
import { createAsideRepo } from "./repositories/asides.ts";
import { PostgresAuditLog } from "./repositories/audit.ts";
import { createChannelRepo } from "./repositories/channels.ts";
import { createCheckRepo } from "./repositories/checks.ts";
import { createConfigRepo } from "./repositories/config.ts";
import { createIdempotencyRepo } from "./repositories/idempotency.ts";
import { createJudgementRepo } from "./repositories/judgements.ts";
import { createKeptCopyRepo } from "./repositories/kept-copies.ts";
import { createLevelRepo } from "./repositories/levels.ts";
import { createManualRepo } from "./repositories/manual.ts";
import { PostgresMetaRepo } from "./repositories/meta.ts";
import { createOrderRepo } from "./repositories/orders.ts";
import { createPushRepo } from "./repositories/pushes.ts";
import { createRenewalRepo } from "./repositories/renewals.ts";
import { createRetentionRepo } from "./repositories/retention.ts";
import { createRolloutRepo } from "./repositories/rollouts.ts";
import { createScheduleRepo } from "./repositories/schedule.ts";
import { createSealedTextRepo } from "./repositories/sealed-texts.ts";
import { PostgresSecretRepo } from "./repositories/secrets.ts";
import { createTargetRepo } from "./repositories/targets.ts";
import { PostgresTokenRepo } from "./repositories/tokens.ts";
import { createValueIntentRepo } from "./repositories/value-intents.ts";
import { createValuePlaceRepo } from "./repositories/value-places.ts";
import { createValueWalkRepo } from "./repositories/value-walk.ts";
import { createViewRepo } from "./repositories/views.ts";
import type { Database } from "./schema/schema.ts";

/** `db` is a transaction, or the store's reading side. */
export function createRepositories(db: Kysely<Database>): Repositories {
  return {
    meta: new PostgresMetaRepo(db),
    secrets: new PostgresSecretRepo(db),
    sealedTexts: createSealedTextRepo(db),
    valuePlaces: createValuePlaceRepo(db),
    valueIntents: createValueIntentRepo(db),
    valueWalk: createValueWalkRepo(db),
    tokens: new PostgresTokenRepo(db),
    targets: createTargetRepo(db),
    orders: createOrderRepo(db),
    config: createConfigRepo(db),
    pushes: createPushRepo(db),
    activations: createActivationRepo(db),
    rollouts: createRolloutRepo(db),
    asides: createAsideRepo(db),
    keptCopies: createKeptCopyRepo(db),
    manual: createManualRepo(db),
    schedule: createScheduleRepo(db),
    renewals: createRenewalRepo(db),
    checks: createCheckRepo(db),
    alerts: createAlertRepo(db),
    channels: createChannelRepo(db),
    idempotency: createIdempotencyRepo(db),
    judgements: createJudgementRepo(db),
    views: createViewRepo(db),
    levels: createLevelRepo(db),
    agents: createAgentRepo(db),
    audit: new PostgresAuditLog(db),
    retention: createRetentionRepo(db),
  };
}
