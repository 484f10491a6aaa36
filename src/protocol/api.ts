/** Every operation of `/api/v1`, by its operation id. A route without an entry here does not exist. */
import { VIEW_OPERATIONS } from "./api-views.ts";

export const OPERATIONS = { ...VIEW_OPERATIONS } as const;

export type Operations = typeof OPERATIONS;
export type OperationId = keyof Operations;
