/** Operations on the configuration. */
import { operation } from "./api-operation.ts";
import {
  applyAnswerSchema,
  applyRequestSchema,
  destinationsAnswerSchema,
  destinationsRequestSchema,
  importAnswerSchema,
  importRequestSchema,
  planAnswerSchema,
  planRequestSchema,
} from "./config-api.ts";

export const CONFIG_OPERATIONS = {
  plan: operation({
    method: "POST",
    path: "/plan",
    summary: "What applying a configuration would change, and what stands at the places. Writes nothing.",
    permission: "config.plan",
    body: planRequestSchema,
    answer: planAnswerSchema,
  }),
  knownDestinations: operation({
    method: "POST",
    path: "/plan/destinations",
    summary: "Which targets and channels of a configuration go where an applied one went. Asks no place.",
    permission: "config.plan",
    body: destinationsRequestSchema,
    answer: destinationsAnswerSchema,
  }),
  apply: operation({
    method: "POST",
    path: "/apply",
    summary: "Makes the store want what the configuration says; the loop does the rest.",
    permission: "config.apply",
    body: applyRequestSchema,
    answer: applyAnswerSchema,
  }),
  importSecret: operation({
    method: "POST",
    path: "/import",
    summary: "A value that is in use somewhere becomes the secret's current version.",
    permission: "secret.adopt",
    body: importRequestSchema,
    answer: importAnswerSchema,
  }),
};
