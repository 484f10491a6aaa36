/** Nobody watches, or somebody takes notes: for suites that need not load what counts. */
import type { Telemetry } from "../../src/core/ports/telemetry.ts";

export const NO_TELEMETRY: Telemetry = {
  during: (_operation, _kind, work) => work(),
  pushEnded: () => {},
  activationEnded: () => {},
  jobWaited: () => {},
  requestAnswered: () => {},
  exposition: async () => ({ contentType: "text/plain", text: "" }),
};

/** `said`: a line for each thing, as "push memory succeeded" or "look memory failed". */
export function recordTelemetry(): { readonly telemetry: Telemetry; readonly said: string[] } {
  const said: string[] = [];
  return {
    said,
    telemetry: {
      during: async (operation, kind, work) => {
        let outcome = "failed";
        try {
          const done = await work();
          outcome = "done";
          return done;
        } finally {
          said.push(`during ${operation} ${kind} ${outcome}`);
        }
      },
      pushEnded: (kind, outcome) => said.push(`push ${kind} ${outcome}`),
      activationEnded: (kind, outcome, seconds) =>
        said.push(`activation ${kind} ${outcome}${seconds === null ? "" : " timed"}`),
      jobWaited: (job, seconds) => said.push(`waited ${job} ${seconds}`),
      requestAnswered: ({ method, route, status }) => said.push(`request ${method} ${route} ${status}`),
      exposition: NO_TELEMETRY.exposition,
    },
  };
}
