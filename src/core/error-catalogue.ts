/**
 * The catalogue of errors. One table maps a stable code to its family; the family decides the retry verdict, the
 * HTTP status and the exit code. Codes are contracts: they may be added, never renamed or reused.
 */
import type { ErrorFamily } from "./error-families.ts";

/** code → family and what to do when the message has no better remedy. */
export const CATALOGUE = {
  USAGE: { family: "invalid", hint: "See `lockstep --help`." },
  INTERRUPTED: { family: "unavailable", hint: "Run it again whenever you like." },
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
    hint: "Look at `lockstep plan`; --take-over overwrites what stands there.",
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
  ROLLOUT_OPEN: { family: "conflict", hint: "Wait for the rollout or see `lockstep rollout show`." },
  STRATEGY_IMPOSSIBLE: {
    family: "conflict",
    hint: "Mend what is named, or use --strategy replace and expect a short window.",
  },
  VERSION_IN_USE: { family: "conflict", hint: "Finish or roll back what refers to the version first." },
  VERSION_COMPROMISED: {
    family: "conflict",
    hint: "Make a new version; a compromised one is never used again.",
  },
  VERSION_STATE: { family: "conflict", hint: "See `lockstep secret versions`." },
  IDEMPOTENCY_REUSED: { family: "conflict", hint: "Use a new Idempotency-Key for another request." },
  REQUEST_OUTCOME_UNKNOWN: {
    family: "outcome-unknown",
    hint: "Look with `lockstep history` and `lockstep audit list` whether it was done; send it anew only if not.",
  },
  LEASE_LOST: { family: "conflict", hint: "Another worker took over; nothing needs to be done." },
  ORDER_REFUSED: { family: "conflict", hint: "The place carries a newer write; look at `lockstep history`." },
  STORE_SET_BACK: {
    family: "conflict",
    hint: "Look at what stands where with `lockstep epoch`, see that no other copy of the store runs, then `lockstep epoch begin --reason …`.",
  },
  WRITE_CONFLICT: {
    family: "conflict",
    hint: "Something else wrote there at the same time; it is looked at again.",
  },
  UNSUPPORTED: { family: "unsupported", hint: "See the target's capabilities with `lockstep target test`." },
  STORE_UNAVAILABLE: { family: "unavailable", hint: "Check that Postgres can be reached." },
  STORE_FULL: { family: "unavailable", hint: "Free space where Postgres keeps its data (`df -h` there)." },
  STORE_READ_ONLY: {
    family: "unavailable",
    hint: "Postgres takes no writes: let DATABASE_URL name the primary, or end default_transaction_read_only.",
  },
  STORE_TIMEOUT: {
    family: "unavailable",
    hint: "Ask again; if it stays so, see what holds locks or the disk (pg_stat_activity) where Postgres runs.",
  },
  STORE_BUSY: {
    family: "unavailable",
    hint: "Raise max_connections or the role's CONNECTION LIMIT, or run fewer servers and workers on this Postgres.",
  },
  STORE_STARTING: {
    family: "unavailable",
    hint: "Postgres starts, recovers from a crash or shuts down: it is asked again by itself; its log says how far it is.",
  },
  STORE_POOLER: {
    family: "unavailable",
    hint: "Let DATABASE_URL name Postgres itself: Lockstep keeps its own pool, and needs whole sessions with their settings (LISTEN, locks, timeouts, search_path).",
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
    hint: "Check address and network; it is tried again by itself.",
  },
  TARGET_UNAVAILABLE: { family: "unavailable", hint: "It is tried again by itself." },
  TARGET_RATE_LIMITED: { family: "rate-limited", hint: "It goes on when the place allows." },
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
    hint: "Free space there (`df -h` says what is full, `du` by what); what stood there is whole.",
  },
  TARGET_READ_ONLY: {
    family: "unavailable",
    hint: "Linux does that to a disk that fails: see `dmesg` there, repair it, and mount it for writing again.",
  },
  TARGET_HOST_KEY: {
    family: "rejected",
    hint: "Compare the key with the host's owner, then `lockstep target trust`.",
  },
  TARGET_PROTOCOL: { family: "rejected", hint: "The answer was not understood; check address and version." },
  READ_BACK_MISMATCH: {
    family: "unavailable",
    hint: "Something else writes there, or the place dropped the write; it is tried again by itself.",
  },
  TARGET_OUTCOME_UNKNOWN: {
    family: "outcome-unknown",
    hint: "It is read back by itself; nothing needs to be done.",
  },
  ISSUER_UNAVAILABLE: {
    family: "unavailable",
    hint: "It is tried again by itself; `lockstep renewals` says when.",
  },
  ISSUER_LIMITED: { family: "rate-limited", hint: "It is tried again as soon as the issuer allows." },
  ISSUER_REFUSED: {
    family: "rejected",
    hint: "Correct the secret's `issue:` or what it names, then `lockstep renew NAME`.",
  },
  ISSUER_ANSWER: {
    family: "rejected",
    hint: "Correct the secret's `issue:` so that it fits the issuer's answer.",
  },
  ISSUER_OUTCOME_UNKNOWN: {
    family: "outcome-unknown",
    hint: "What the request used up may be spent: sign in anew and set it, or risk it with `lockstep renew NAME --again`.",
  },
  ISSUER_GRANT_GONE: {
    family: "rejected",
    hint: "Sign in anew at the provider and set the new refresh token with `lockstep secret set`.",
  },
  CHANNEL_UNAVAILABLE: {
    family: "unavailable",
    hint: "It is tried again by itself; `lockstep alert channels` shows how that ends.",
  },
  CHANNEL_REFUSED: {
    family: "rejected",
    hint: "Correct the channel in lockstep.yaml, `lockstep apply`, and try it with `lockstep alert test`.",
  },
  RENEWAL_LIFE_SHORT: { family: "rejected", hint: "Ask the issuer for a longer life." },
  RENEWAL_BUSY: {
    family: "conflict",
    hint: "Its turn did not come in time: run it again in a minute; `lockstep renewals` shows what is under way.",
  },
  FILE_UNSAFE: { family: "rejected", hint: "Correct owner, mode or link as named." },
  FILE_SHARED: {
    family: "rejected",
    hint: "Mount the directory instead of the file, keep one name of it, or say `write: in-place`.",
  },
  ACTIVATION_FAILED: {
    family: "rejected",
    hint: "See the unit's own log, repair, then `lockstep rollout resume`.",
  },
  RESTART_KEEPS_OLD: {
    family: "invalid",
    hint: "Use the named command, which starts the service with the new value.",
  },
  AGENT_NOT_ENROLLED: {
    family: "invalid",
    hint: "On the server: `lockstep agent invite TARGET`; here: `lockstep agent enroll`.",
  },
  AGENT_REVOKED: {
    family: "unauthenticated",
    hint: "Ask for a new code with `lockstep agent invite TARGET`, then `lockstep agent enroll`.",
  },
  AGENT_ACTIVE: { family: "conflict", hint: "To replace it: `lockstep agent invite TARGET --replace`." },
  AGENT_ENROLLED: { family: "conflict", hint: "To give that up: `lockstep agent enroll --replace`." },
  AGENT_RUNNING: {
    family: "conflict",
    hint: "One program at a time uses an identity; stop the other one, or give the service a target of its own.",
  },
  AGENT_CLOCK: {
    family: "unauthenticated",
    hint: "Set the machine's clock right; it must be within a minute.",
  },
  AGENT_IDENTITY: {
    family: "integrity",
    hint: "The agent's own files were changed or damaged; enroll it again.",
  },
  REQUEST_REPLAYED: {
    family: "unauthenticated",
    hint: "Somebody sent a copy of a request; nothing was done.",
  },
  TOO_MANY_TRIES: {
    family: "rate-limited",
    hint: "Wait a minute, and use a code of `lockstep agent invite TARGET` that is still valid.",
  },
  TOO_MANY_REQUESTS: { family: "rate-limited", hint: "Ask again after the time that Retry-After tells." },
  ENROLMENT_INVALID: {
    family: "unauthenticated",
    hint: "Codes are valid once, for 15 minutes. Ask for a new one with `lockstep agent invite TARGET`.",
  },
  ENROLMENT_CONTESTED: {
    family: "unauthenticated",
    hint: "Somebody else may have seen it. On the server: `lockstep agent list`, `lockstep agent revoke TARGET`, a new code.",
  },
  BUNDLE_REFUSED: {
    family: "integrity",
    hint: "It was not made by this agent's server for this agent, or is older than what stands here; it was dropped.",
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
    hint: "Start it with the key that is in use now (LOCKSTEP_ROOT_KEY_FILE, or LOCKSTEP_KEY_RING=vault-transit).",
  },
  KEY_RING_UNAVAILABLE: {
    family: "unavailable",
    hint: "Check that Vault answers and is unsealed. What waits for it goes on by itself; repeat a command that was refused.",
  },
  KEY_RING_REFUSED: {
    family: "rejected",
    hint: "Mend in Vault what is named. What waits for it goes on by itself; repeat a command that was refused.",
  },
  RECOVERY_COPY_WRONG: {
    family: "invalid",
    hint: "Make another copy where Lockstep runs: `lockstep root-key copy FILE`.",
  },
  VALUE_STORE_UNAVAILABLE: {
    family: "unavailable",
    hint: "Check that Vault answers and is unsealed. What waits for a value goes on by itself; repeat a command that was refused.",
  },
  VALUE_STORE_REFUSED: {
    family: "rejected",
    hint: "Correct what is named, in Vault or in the LOCKSTEP_VAULT_ settings. What waits goes on by itself; repeat a command that was refused.",
  },
  VALUE_STORE_CHANGED: {
    family: "integrity",
    hint: "Restore the value there, or set the secret anew: `lockstep secret set NAME`.",
  },
  SEALED_UNREADABLE: {
    family: "integrity",
    hint: "The row was changed or damaged; restore it, or set the secret anew.",
  },
  INTERNAL: {
    family: "invariant",
    hint: "This is a defect of Lockstep; please report it with the code and the time.",
  },
} as const satisfies Record<string, { family: ErrorFamily; hint: string }>;
