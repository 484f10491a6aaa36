/**
 * The catalogue of errors. One table maps a stable code to its family; the family decides the retry verdict, the
 * HTTP status and the exit code. Codes are contracts: they may be added, never renamed or reused.
 */
import { AGENT_ERRORS } from "./agent-errors.ts";
import type { ErrorFamily } from "./error-families.ts";

/** code → family and what to do when the message has no better remedy. */
export const CATALOGUE = {
  USAGE: { family: "invalid", hint: "See `lockstep --help`." },
  INTERRUPTED: { family: "unavailable", hint: "You can run it again at any time." },
  INPUT_INVALID: { family: "invalid", hint: "Correct the named fields and send the request again." },
  REQUEST_MALFORMED: { family: "invalid", hint: "Send it as /api/v1/openapi.json describes it." },
  REQUEST_TOO_SLOW: { family: "invalid", hint: "Send the whole request within 15 seconds." },
  HEADERS_TOO_LARGE: { family: "invalid", hint: "Send fewer or shorter headers." },
  CONFIG_INVALID: { family: "invalid", hint: "Correct lockstep.yaml at the named line." },
  CONFIG_UNREADABLE: { family: "invalid", hint: "Name the file with -f, and check that it may be read." },
  CONFIG_SHRUNKEN: { family: "invalid", hint: "If that is meant, repeat with --allow-shrink." },
  PLAN_CHANGED: { family: "conflict", hint: "Look at the plan again and repeat; nothing was changed." },
  SETTING_INVALID: { family: "invalid", hint: "Correct the environment variable and start again." },
  KEY_INVALID: { family: "invalid", hint: "Use a key that the place can hold." },
  VALUE_INVALID: { family: "invalid", hint: "Use a value that the place can hold and give back unchanged." },
  VALUE_NOT_REPRESENTABLE: {
    family: "invalid",
    hint: "Choose another format for this file or another value.",
  },
  PLACE_TAKEN: { family: "invalid", hint: "Let one binding own the place, or choose another key." },
  FOREIGN_VALUE: {
    family: "conflict",
    hint: "See `lockstep plan`; --take-over overwrites the value that is there.",
  },
  STEP_OPEN: { family: "conflict", hint: "Do what `lockstep step show TARGET` says, then confirm it there." },
  STEP_REVEALED: {
    family: "conflict",
    hint: "Each value is shown once; `lockstep secret reveal NAME` shows it again, on record.",
  },
  NOT_ADOPTED: { family: "conflict", hint: "Choose with `lockstep import NAME --from TARGET` or --winner." },
  UNAUTHENTICATED: {
    family: "unauthenticated",
    hint: "Send a valid token: LOCKSTEP_TOKEN, or the local admin token.",
  },
  FORBIDDEN: { family: "forbidden", hint: "Use a token that has the named permission." },
  HOST_NOT_ALLOWED: {
    family: "forbidden",
    hint: "Use the address that Lockstep listens on, or allow the name with LOCKSTEP_ALLOWED_HOSTS.",
  },
  ORIGIN_NOT_ALLOWED: { family: "forbidden", hint: "The API is not for other pages in a browser." },
  CONTENT_TYPE_NOT_ALLOWED: { family: "invalid", hint: "Send JSON, with content-type: application/json." },
  BODY_TOO_LARGE: { family: "invalid", hint: "Send less than 1 MiB at once." },
  NOT_FOUND: { family: "not-found", hint: "Check the name; `lockstep status` lists what exists." },
  ALREADY_EXISTS: { family: "conflict", hint: "Choose another name." },
  ROLLOUT_NEWER: {
    family: "conflict",
    hint: "A newer release began it: repeat this with that release, whose workers and servers move it.",
  },
  ROLLOUT_OPEN: { family: "conflict", hint: "Wait for the rollout or see `lockstep rollout show`." },
  STRATEGY_IMPOSSIBLE: {
    family: "conflict",
    hint: "Fix what is named, or use --strategy replace and accept a short time in which places differ.",
  },
  VERSION_IN_USE: { family: "conflict", hint: "First finish or roll back what uses the version." },
  VERSION_COMPROMISED: {
    family: "conflict",
    hint: "Make a new version; a compromised one is never used again.",
  },
  VERSION_STATE: { family: "conflict", hint: "See `lockstep secret versions`." },
  IDEMPOTENCY_REUSED: { family: "conflict", hint: "Use a new Idempotency-Key for another request." },
  REQUEST_OUTCOME_UNKNOWN: {
    family: "outcome-unknown",
    hint: "Check with `lockstep history` and `lockstep audit list` whether it was done; send it again only if it was not.",
  },
  LEASE_LOST: { family: "conflict", hint: "Another worker does this work now; you need to do nothing." },
  ORDER_REFUSED: { family: "conflict", hint: "The place holds a newer write; see `lockstep history`." },
  STORE_SET_BACK: {
    family: "conflict",
    hint: "See with `lockstep epoch` which place holds what. Make sure that no other copy of the store runs, then run `lockstep epoch begin --reason …`.",
  },
  WRITE_CONFLICT: {
    family: "conflict",
    hint: "Something else wrote there at the same time; Lockstep reads the place again by itself.",
  },
  UNSUPPORTED: { family: "unsupported", hint: "See the target's capabilities with `lockstep target test`." },
  STORE_UNAVAILABLE: { family: "unavailable", hint: "Check that Postgres can be reached." },
  STORE_FULL: { family: "unavailable", hint: "Free space where Postgres keeps its data (`df -h` there)." },
  STORE_READ_ONLY: {
    family: "unavailable",
    hint: "Postgres accepts no writes: point DATABASE_URL at the primary, or turn off default_transaction_read_only.",
  },
  STORE_TIMEOUT: {
    family: "unavailable",
    hint: "Try again. If that does not help, find out where Postgres runs what holds locks or keeps the disk busy (pg_stat_activity).",
  },
  STORE_BUSY: {
    family: "unavailable",
    hint: "Raise max_connections or the role's CONNECTION LIMIT, or run fewer servers and workers on this Postgres.",
  },
  STORE_STARTING: {
    family: "unavailable",
    hint: "Postgres is starting, recovering from a crash or shutting down. Lockstep tries again by itself; the log of Postgres shows its progress.",
  },
  STORE_POOLER: {
    family: "unavailable",
    hint: "Point DATABASE_URL at Postgres itself: Lockstep keeps its own pool, and needs whole sessions with their settings (LISTEN, locks, timeouts, search_path).",
  },
  STORE_SCHEMA: {
    family: "invalid",
    hint: "Run `lockstep migrate` with this release, or start the release that the store was migrated to.",
  },
  STORE_IN_USE: { family: "conflict", hint: "Another Lockstep uses this data directory; stop it first." },
  QUEUE_UNAVAILABLE: {
    family: "unavailable",
    hint: "Check that Redis can be reached; nothing is lost meanwhile.",
  },
  SERVER_UNREACHABLE: { family: "unavailable", hint: "Start it with `lockstep up`, or set LOCKSTEP_URL." },
  TARGET_UNREACHABLE: {
    family: "unavailable",
    hint: "Check address and network; Lockstep tries again by itself.",
  },
  TARGET_UNAVAILABLE: { family: "unavailable", hint: "Lockstep tries again by itself." },
  TARGET_RATE_LIMITED: { family: "rate-limited", hint: "Lockstep goes on as soon as the place allows it." },
  TARGET_CREDENTIAL_REJECTED: {
    family: "rejected",
    hint: "Give the target a valid credential and run `lockstep apply`.",
  },
  TARGET_MISSING: { family: "rejected", hint: "Check project, environment and service in lockstep.yaml." },
  TARGET_REFUSED: { family: "rejected", hint: "See `lockstep target test`." },
  TARGET_PERMISSION: {
    family: "rejected",
    hint: "`lockstep target test` prints the rights that are needed.",
  },
  TARGET_FULL: {
    family: "unavailable",
    hint: "Free space there (`df -h` shows which disk is full, `du` shows what uses it). The old content is intact.",
  },
  TARGET_READ_ONLY: {
    family: "unavailable",
    hint: "Linux does this when a disk fails: see `dmesg` there, repair the disk, and mount it for writing again.",
  },
  TARGET_HOST_KEY: {
    family: "rejected",
    hint: "Compare the key with the host's owner, then run `lockstep target trust`.",
  },
  TARGET_PROTOCOL: { family: "rejected", hint: "The answer was not understood; check address and version." },
  READ_BACK_MISMATCH: {
    family: "unavailable",
    hint: "Something else writes there, or the place dropped the write. Lockstep tries again by itself.",
  },
  TARGET_OUTCOME_UNKNOWN: {
    family: "outcome-unknown",
    hint: "Lockstep reads the place again by itself; you need to do nothing.",
  },
  ISSUER_UNAVAILABLE: {
    family: "unavailable",
    hint: "Lockstep tries again by itself; `lockstep renewals` says when.",
  },
  ISSUER_LIMITED: { family: "rate-limited", hint: "Lockstep tries again as soon as the issuer allows it." },
  ISSUER_REFUSED: {
    family: "rejected",
    hint: "Correct the secret's `issue:` or what it names, then run `lockstep renew NAME`.",
  },
  ISSUER_ANSWER: {
    family: "rejected",
    hint: "Correct the secret's `issue:` so that it fits the issuer's answer.",
  },
  ISSUER_OUTCOME_UNKNOWN: {
    family: "outcome-unknown",
    hint: "The refresh token of that request may be used up: sign in again and set the new one, or take the risk with `lockstep renew NAME --again`.",
  },
  ISSUER_GRANT_GONE: {
    family: "rejected",
    hint: "Sign in again at the provider and set the new refresh token with `lockstep secret set`.",
  },
  CHANNEL_UNAVAILABLE: {
    family: "unavailable",
    hint: "Lockstep tries again by itself; `lockstep alert channels` shows the result.",
  },
  CHANNEL_REFUSED: {
    family: "rejected",
    hint: "Correct the channel in lockstep.yaml, run `lockstep apply`, and try the channel with `lockstep alert test`.",
  },
  RENEWAL_LIFE_SHORT: { family: "rejected", hint: "Let the issuer give tokens that live longer." },
  RENEWAL_BUSY: {
    family: "conflict",
    hint: "Another renewal took too long. Run it again in a minute; `lockstep renewals` shows what is running.",
  },
  FILE_UNSAFE: { family: "rejected", hint: "Correct owner, mode or link as named." },
  FILE_SHARED: {
    family: "rejected",
    hint: "Mount the directory instead of the file, remove the other hard links, or set `write: in-place`.",
  },
  ACTIVATION_FAILED: {
    family: "rejected",
    hint: "See the unit's own log, fix the cause, then run `lockstep rollout resume`.",
  },
  RESTART_KEEPS_OLD: {
    family: "invalid",
    hint: "Use the command in the message: it starts the service with the new value.",
  },
  ...AGENT_ERRORS,
  REQUEST_REPLAYED: {
    family: "unauthenticated",
    hint: "Somebody sent a copy of a request; nothing was done.",
  },
  TOO_MANY_TRIES: {
    family: "rate-limited",
    hint: "Wait a minute, and use a code of `lockstep agent invite TARGET` that is still valid.",
  },
  TOO_MANY_REQUESTS: { family: "rate-limited", hint: "Ask again after the time in Retry-After." },
  ENROLMENT_INVALID: {
    family: "unauthenticated",
    hint: "Codes are valid once, for 15 minutes. Ask for a new one with `lockstep agent invite TARGET`.",
  },
  ENROLMENT_CONTESTED: {
    family: "unauthenticated",
    hint: "Somebody else may have seen the code. On the server: `lockstep agent list`, `lockstep agent revoke TARGET`, a new code.",
  },
  BUNDLE_REFUSED: {
    family: "integrity",
    hint: "The bundle was not made by this agent's server for this agent, or it is older than what this machine holds. It was dropped.",
  },
  POLICY_REFUSED: {
    family: "rejected",
    hint: "`lockstep agent policy` on the host shows what its owner may add.",
  },
  DESTINATION_CHANGED: { family: "invalid", hint: "Give the credential again for the new address." },
  ROOT_KEY_MISSING: {
    family: "integrity",
    hint: "Give the root key file that this store was made with (LOCKSTEP_ROOT_KEY_FILE).",
  },
  ROOT_KEY_WRONG: {
    family: "integrity",
    hint: "Start with the key that this store is sealed under (LOCKSTEP_ROOT_KEY_FILE, or LOCKSTEP_KEY_RING=vault-transit).",
  },
  ROOT_KEY_CHANGED: {
    family: "unavailable",
    hint: "Start this process with the key that is in use now (LOCKSTEP_ROOT_KEY_FILE, or LOCKSTEP_KEY_RING=vault-transit).",
  },
  KEY_RING_UNAVAILABLE: {
    family: "unavailable",
    hint: "Check that Vault answers and is unsealed. Waiting work goes on by itself; repeat a command that was refused.",
  },
  KEY_RING_REFUSED: {
    family: "rejected",
    hint: "Fix in Vault what is named. Waiting work goes on by itself; repeat a command that was refused.",
  },
  RECOVERY_COPY_WRONG: {
    family: "invalid",
    hint: "Make another copy where Lockstep runs: `lockstep root-key copy FILE`.",
  },
  VALUE_STORE_UNAVAILABLE: {
    family: "unavailable",
    hint: "Check that Vault answers and is unsealed. Waiting work goes on by itself; repeat a command that was refused.",
  },
  VALUE_STORE_REFUSED: {
    family: "rejected",
    hint: "Correct what is named, in Vault or in the LOCKSTEP_VAULT_ settings. Waiting work goes on by itself; repeat a command that was refused.",
  },
  VALUE_STORE_CHANGED: {
    family: "integrity",
    hint: "Restore the value there, or set the secret again: `lockstep secret set NAME`.",
  },
  SEALED_UNREADABLE: {
    family: "integrity",
    hint: "The row was changed or damaged: restore it, or set the secret again.",
  },
  INTERNAL: {
    family: "invariant",
    hint: "This is a defect of Lockstep; please report it with the code and the time.",
  },
} as const satisfies Record<string, { family: ErrorFamily; hint: string }>;
