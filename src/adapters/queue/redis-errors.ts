/**
 * What keeps Redis from being our queue, in words. Of its answers only the kind is kept, and the name of a command that
 * a user may not use: texts of Redis quote users, keys and scripts.
 */
import type { QueueTrouble } from "../../core/ports/queue.ts";
import { isCertificateError, lineErrorText } from "../../lib/line-errors.ts";

const ANSWERS: readonly (readonly [answer: RegExp, what: string, remedy: string])[] = [
  [
    /^WRONGPASS|^ERR invalid password|invalid username-password pair/,
    "Redis refused user and password (WRONGPASS)",
    "Correct REDIS_URL: redis://USER:PASSWORD@HOST, or redis://:PASSWORD@HOST for the user default.",
  ],
  [
    /\bNOAUTH\b/,
    "Redis asks for a password, and REDIS_URL holds none (NOAUTH)",
    "Write it behind a colon: redis://:PASSWORD@HOST.",
  ],
  [
    /\bREADONLY\b|^UNBLOCKED\b/,
    "Redis takes no writes, because it is a replica (READONLY); the connection is opened anew each time",
    "If it stays so, let REDIS_URL name the primary, or a name that always leads to it.",
  ],
  [
    /\bMASTERDOWN\b/,
    "Redis is a replica that has lost its primary (MASTERDOWN)",
    "Let REDIS_URL name the primary, or a name that always leads to it.",
  ],
  [
    /\bMOVED\b|\bASK \d|\bCLUSTERDOWN\b|not allowed in cluster mode/,
    "Redis is a node of a Redis Cluster, and not the one for our keys (MOVED)",
    "Lockstep speaks with one Redis: name one that is no Cluster, or leave REDIS_URL out and keep the queue in Postgres.",
  ],
  [
    /^LOADING\b/,
    "Redis reads its data from the disk after a start (LOADING)",
    "Wait until it has: its log says how far it is.",
  ],
  [
    /\bOOM\b/,
    "Redis has used up its memory and takes no more (OOM)",
    "Raise its maxmemory, or give Lockstep a Redis of its own: its jobs are few and small.",
  ],
  [
    /\bMISCONF\b/,
    "Redis cannot save to its disk and takes no writes meanwhile (MISCONF)",
    "Free space or correct the rights where it keeps its data (`df -h` there); its log says what failed.",
  ],
  [
    /\bNOREPLICAS\b/,
    "Redis has fewer replicas than it was told to need and takes no writes (NOREPLICAS)",
    "Bring its replicas back, or lower min-replicas-to-write.",
  ],
  [
    /max number of clients/,
    "Redis has no connection left for us (max number of clients)",
    "Raise its maxclients, or find who keeps connections open (CLIENT LIST).",
  ],
  [/^BUSY\b/, "Redis runs a script that takes too long (BUSY)", "Find whose it is; SCRIPT KILL ends it."],
  [
    /unknown command/i,
    "Redis does not know a command that the queue needs",
    "Use Redis 6.2 or newer, without renamed or switched-off commands.",
  ],
  [
    /DB index is out of range/,
    "Redis has no database of the number in REDIS_URL",
    "Write a smaller number, or none, behind the port.",
  ],
  [
    /^DENIED\b/,
    "Redis is in protected mode and takes connections of its own machine alone (DENIED)",
    "Give it a password, or let it listen on a network of its own.",
  ],
  [
    /Protocol error/i,
    "what answers does not speak Redis's protocol, or speaks it over TLS alone",
    "Check host and port in REDIS_URL, and whether it begins with rediss://.",
  ],
];

const CHECK = "Check host, port and TLS (rediss://) in REDIS_URL.";
const HUNG_UP = `${CHECK} A Redis that has no connection left hangs up at once, too: raise its maxclients.`;

/** Says less than a refusal, and may come after it. */
export function isLineEnd(code: string): boolean {
  return code === "ECONNRESET" || code === "EPIPE";
}

/** What the queue needs of a user that may not do everything. */
export const NEEDED_RIGHTS = "~{lockstep}:* +@all -@dangerous +info";

/** Null: nothing that could be told from "it does not answer". */
export function redisTrouble(error: unknown): QueueTrouble | null {
  if (!(error instanceof Error)) return null;
  const code = "code" in error ? String(error.code) : "";
  const line = lineErrorText(code);
  if (isCertificateError(code)) {
    return {
      what: `Redis was not reached: ${line} (${code})`,
      remedy:
        "Name the authority's certificate in LOCKSTEP_REDIS_CA_FILE, and the host in REDIS_URL as the certificate does.",
    };
  }
  if (line !== null) {
    return { what: `Redis was not reached: ${line} (${code})`, remedy: isLineEnd(code) ? HUNG_UP : CHECK };
  }
  const { message } = error;
  if (/\bNOPERM\b/.test(message)) return noPermission(message);
  for (const [answer, what, remedy] of ANSWERS) if (answer.test(message)) return { what, remedy };
  return null;
}

function noPermission(message: string): QueueTrouble {
  const command = /run the '([a-z]{1,24}(?:\|[a-z-]{1,24})?)' command/.exec(message)?.[1];
  const lacking =
    command !== undefined
      ? `the command ${command.toUpperCase()}`
      : /channel/.test(message)
        ? "a channel"
        : "the keys {lockstep}:*";
  return {
    what: `the user of REDIS_URL lacks the right to ${lacking} (NOPERM)`,
    remedy: `Give it what the queue needs: ACL SETUSER NAME ${NEEDED_RIGHTS}.`,
  };
}

/** Nothing is lost by it, but work waits for the sweep whenever Redis has dropped a job. `told`: of INFO memory. */
export function evictionConcern(told: string): QueueTrouble | null {
  const policy = /^maxmemory_policy:([a-z-]{1,32})\r?$/m.exec(told)?.[1];
  if (policy === undefined || policy === "noeviction") return null;
  return {
    what: `Redis drops keys when its memory is full (maxmemory-policy ${policy}), and jobs with them`,
    remedy: "Set maxmemory-policy noeviction, or give Lockstep a Redis of its own.",
  };
}
