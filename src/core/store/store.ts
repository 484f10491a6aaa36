/**
 * The truth. Every state change goes through `transaction`, together with its audit entry. Implementations map the
 * database's transient failures to codes that begin with STORE_ and retry serialization failures and deadlocks by themselves,
 * so the callback may run more than once: it must touch nothing but the transaction.
 *
 * Repositories are one small interface per aggregate, beside this file.
 */
import type { ActivationRepo } from "./activations.ts";
import type { AgentRepo } from "./agents.ts";
import type { AlertRepo } from "./alerts.ts";
import type { AsideRepo } from "./asides.ts";
import type { AuditLog } from "./audit.ts";
import type { ChannelRepo } from "./channels.ts";
import type { CheckRepo } from "./checks.ts";
import type { ConfigRepo } from "./config.ts";
import type { IdempotencyRepo } from "./idempotency.ts";
import type { JudgementRepo } from "./judgements.ts";
import type { KeptCopyRepo } from "./kept-copies.ts";
import type { LevelRepo } from "./levels.ts";
import type { ManualRepo } from "./manual.ts";
import type { MetaRepo } from "./meta.ts";
import type { OrderRepo } from "./orders.ts";
import type { PushRepo } from "./pushes.ts";
import type { RenewalRepo } from "./renewals.ts";
import type { RetentionRepo } from "./retention.ts";
import type { RolloutRepo } from "./rollouts.ts";
import type { ScheduleRepo } from "./schedule.ts";
import type { SealedTextRepo } from "./sealed-texts.ts";
import type { SecretRepo } from "./secrets.ts";
import type { TargetRepo } from "./targets.ts";
import type { TokenRepo } from "./tokens.ts";
import type { ValueIntentRepo } from "./value-intents.ts";
import type { ValuePlaceRepo } from "./value-places.ts";
import type { ValueWalkRepo } from "./value-walk.ts";
import type { ViewRepo } from "./views.ts";

export interface Repositories {
  readonly meta: MetaRepo;
  readonly secrets: SecretRepo;
  readonly sealedTexts: SealedTextRepo;
  readonly valuePlaces: ValuePlaceRepo;
  readonly valueIntents: ValueIntentRepo;
  readonly valueWalk: ValueWalkRepo;
  readonly tokens: TokenRepo;
  readonly targets: TargetRepo;
  readonly orders: OrderRepo;
  readonly config: ConfigRepo;
  readonly pushes: PushRepo;
  readonly activations: ActivationRepo;
  readonly rollouts: RolloutRepo;
  readonly asides: AsideRepo;
  readonly keptCopies: KeptCopyRepo;
  readonly manual: ManualRepo;
  readonly schedule: ScheduleRepo;
  readonly renewals: RenewalRepo;
  readonly checks: CheckRepo;
  readonly alerts: AlertRepo;
  readonly channels: ChannelRepo;
  readonly idempotency: IdempotencyRepo;
  readonly judgements: JudgementRepo;
  readonly views: ViewRepo;
  readonly levels: LevelRepo;
  readonly agents: AgentRepo;
  readonly audit: AuditLog;
  readonly retention: RetentionRepo;
}

export interface Store {
  transaction<T>(work: (tx: Repositories) => Promise<T>): Promise<T>;
  /** Reads outside a transaction; each call sees its own snapshot. Writing through it is a defect. */
  readonly read: Repositories;
  close(): Promise<void>;
}
