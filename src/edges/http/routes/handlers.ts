/** All handlers, one per operation. */
import type { Handlers } from "../routes.ts";
import { agentHandlers } from "./agents.ts";
import { alertHandlers } from "./alerts.ts";
import { configHandlers } from "./config.ts";
import { doctorHandlers } from "./doctor.ts";
import { epochHandlers } from "./epoch.ts";
import { firstRunHandlers } from "./first-run.ts";
import { renewalHandlers } from "./renewals.ts";
import { rolloutHandlers } from "./rollouts.ts";
import { secretHandlers } from "./secrets.ts";
import { stepHandlers } from "./steps.ts";
import { storeHandlers } from "./store.ts";
import { tokenHandlers } from "./tokens.ts";
import { viewHandlers } from "./views.ts";

export const handlers: Handlers = {
  ...viewHandlers,
  ...doctorHandlers,
  ...rolloutHandlers,
  ...renewalHandlers,
  ...alertHandlers,
  ...secretHandlers,
  ...configHandlers,
  ...firstRunHandlers,
  ...storeHandlers,
  ...epochHandlers,
  ...agentHandlers,
  ...stepHandlers,
  ...tokenHandlers,
};
