/**
 * What a server and its agents say to each other, in the one version there is. An agent dials out; everything it is told
 * is signed and then encrypted to it, everything it says is signed. Only names, numbers and digests travel from agent
 * to server; values travel the other way alone.
 *
 *   POST /agent/v1/enrol      enrolment request → sealed welcome         (no token: proves the code instead)
 *   POST /agent/v1/confirm    the welcome's challenge → nothing          (the identity is active from then on)
 *   POST /agent/v1/bundle     what the agent has → sealed bundle, or sealed "unchanged"
 *   POST /agent/v1/report     what was done and seen → nothing
 *   POST /agent/v1/program    nothing → sealed offer of the agent's program
 *   GET  /agent/v1/program/…  one of its files, by its digest            (no token: it is public)
 *   GET  /agent/v1/events     server-sent events: `change` is a hint to ask for the bundle, and carries nothing
 */
export const AGENT_PREFIX = "/agent/v1";

export const AGENT_PATHS = {
  enrol: `${AGENT_PREFIX}/enrol`,
  confirm: `${AGENT_PREFIX}/confirm`,
  bundle: `${AGENT_PREFIX}/bundle`,
  report: `${AGENT_PREFIX}/report`,
  events: `${AGENT_PREFIX}/events`,
  program: `${AGENT_PREFIX}/program`,
} as const;

/** Where a file of the program is served: under its digest, so that it is never another one. */
export function programPath(sha256: string): string {
  return `${AGENT_PATHS.program}/${sha256}`;
}

/** Name of the only event; its data is empty. */
export const CHANGE_EVENT = "change";

/** A comment line keeps connections and proxies awake; an agent that hears nothing for three of them reconnects. */
export const KEEPALIVE_MS = 25_000;

/** An agent asks by itself that often, with up to a quarter of jitter: events only save time. */
export const POLL_MS = 60_000;
