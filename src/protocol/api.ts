/** Every operation of `/api/v1`, by its operation id. A route without an entry here does not exist. */
import { AGENT_OPERATIONS } from "./api-agents.ts";
import { ALERT_OPERATIONS } from "./api-alerts.ts";
import { CONFIG_OPERATIONS } from "./api-config.ts";
import { DOCTOR_OPERATIONS } from "./api-doctor.ts";
import { EPOCH_OPERATIONS } from "./api-epoch.ts";
import { FIRST_RUN_OPERATIONS } from "./api-first-run.ts";
import { RENEWAL_OPERATIONS } from "./api-renewals.ts";
import { ROLLOUT_OPERATIONS } from "./api-rollouts.ts";
import { SECRET_OPERATIONS } from "./api-secrets.ts";
import { STEP_OPERATIONS } from "./api-steps.ts";
import { STORE_OPERATIONS } from "./api-store.ts";
import { TOKEN_OPERATIONS } from "./api-tokens.ts";
import { VIEW_OPERATIONS } from "./api-views.ts";

export const OPERATIONS = {
  ...VIEW_OPERATIONS,
  ...DOCTOR_OPERATIONS,
  ...ROLLOUT_OPERATIONS,
  ...RENEWAL_OPERATIONS,
  ...ALERT_OPERATIONS,
  ...SECRET_OPERATIONS,
  ...CONFIG_OPERATIONS,
  ...FIRST_RUN_OPERATIONS,
  ...STORE_OPERATIONS,
  ...EPOCH_OPERATIONS,
  ...AGENT_OPERATIONS,
  ...STEP_OPERATIONS,
  ...TOKEN_OPERATIONS,
} as const;

export type Operations = typeof OPERATIONS;
export type OperationId = keyof Operations;
