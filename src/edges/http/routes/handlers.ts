/** All handlers, one per operation. */
import type { Handlers } from "../routes.ts";
import { viewHandlers } from "./views.ts";

export const handlers: Handlers = { ...viewHandlers };
