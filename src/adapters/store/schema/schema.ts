/**
 * The tables as Kysely sees them: one interface per table of `migrations/`, column for column, beside this file by subject.
 * Whoever adds a migration changes them in the same commit.
 *
 * Reads give `number` for bigint (checked: `pool.ts`), `Date` for timestamptz and parsed JSON for jsonb. Writes of
 * jsonb take text from `jsonb()`, because pg would send an array as a Postgres array.
 */
import type {
  AgentDeliveryTable,
  AgentRequestTable,
  AgentTable,
  EnrolmentTable,
  StoreKeyTable,
} from "./agents.ts";
import type { AlertTable, ChannelTable, DeliveryTable, SilenceTable } from "./alerts.ts";
import type {
  ActivationTable,
  GivenOrderTable,
  JudgementOwedTable,
  JudgementTable,
  KeptCopyTable,
  ObservationChangeTable,
  ObservationTable,
  PushItemTable,
  PushTable,
  RateBudgetTable,
} from "./pushes.ts";
import type { RolloutGateTable, RolloutTable } from "./rollouts.ts";
import type {
  EnvironmentTable,
  RenewalTable,
  SecretTable,
  SecretVersionTable,
  ValueIntentTable,
  ValueWalkTable,
} from "./secrets.ts";
import type {
  ApiTokenTable,
  AuditEntryTable,
  EpochEntryTable,
  IdempotencyTable,
  RetentionWalkTable,
  StoreMetaTable,
  StoreSizeTable,
} from "./store.ts";
import type {
  BindingTable,
  ManualPlaceTable,
  ManualRevealTable,
  OwnershipTable,
  TargetTable,
  TargetUnitTable,
  UnitTable,
} from "./targets.ts";

export { jsonb } from "./columns.ts";

/** The oldest schema this code works on. The newest it knows is the last file in `migrations/`. */
export const OLDEST_SCHEMA = 23;

/**
 * The oldest program that works on this release's newest schema, by the newest schema that it knows: `migrate` leaves word of
 * it in the store, so that a program of the release before may start there. `test/upgrade` proves it for that release.
 */
export const SERVES_SCHEMA = 20;

export interface Database {
  store_meta: StoreMetaTable;
  environment: EnvironmentTable;
  secret: SecretTable;
  secret_version: SecretVersionTable;
  target: TargetTable;
  unit: UnitTable;
  target_unit: TargetUnitTable;
  binding: BindingTable;
  ownership: OwnershipTable;
  given_order: GivenOrderTable;
  epoch_entry: EpochEntryTable;
  rollout: RolloutTable;
  rollout_gate: RolloutGateTable;
  push: PushTable;
  push_item: PushItemTable;
  activation: ActivationTable;
  observation: ObservationTable;
  observation_change: ObservationChangeTable;
  judgement: JudgementTable;
  judgement_owed: JudgementOwedTable;
  rate_budget: RateBudgetTable;
  api_token: ApiTokenTable;
  idempotency: IdempotencyTable;
  store_key: StoreKeyTable;
  enrolment: EnrolmentTable;
  agent: AgentTable;
  agent_request: AgentRequestTable;
  agent_delivery: AgentDeliveryTable;
  audit_entry: AuditEntryTable;
  renewal: RenewalTable;
  alert: AlertTable;
  channel: ChannelTable;
  delivery: DeliveryTable;
  silence: SilenceTable;
  kept_copy: KeptCopyTable;
  value_intent: ValueIntentTable;
  value_walk: ValueWalkTable;
  manual_place: ManualPlaceTable;
  manual_reveal: ManualRevealTable;
  retention_walk: RetentionWalkTable;
  store_size: StoreSizeTable;
}
