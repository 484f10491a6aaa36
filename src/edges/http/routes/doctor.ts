/** Handlers for the first hour of an outage. */
import { discoverPlaces } from "../../../app/doctor/discover-places.ts";
import { runDoctor } from "../../../app/doctor/run-doctor.ts";
import { healPlaces } from "../../../app/drift/heal-places.ts";
import type { DOCTOR_OPERATIONS } from "../../../protocol/api-doctor.ts";
import type { Handlers } from "../routes.ts";

export const doctorHandlers: Pick<Handlers, keyof typeof DOCTOR_OPERATIONS> = {
  doctor: ({ body }, { context, signal }) => runDoctor(context, body, signal),
  discover: ({ body }, { context, signal }) => discoverPlaces(context, body, signal),
  heal: ({ body }, { context, caller }) => healPlaces(context, caller.actor, body),
};
