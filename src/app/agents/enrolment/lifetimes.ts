/** How long codes and identities live. */

/** A code that serves once. */
export const CODE_LIFE_MS = 15 * 60_000;
/** A code that serves many short-lived identities: at most, and unless told. */
export const MAX_REUSABLE_LIFE_MS = 90 * 86_400_000;
/** A short-lived identity ends so long after its last request: its agent polls every minute. */
export const IDLE_LIFE_MS = 60 * 60_000;
