/** Of the catalogue: what an agent says on its own machine, of its identity and its program. */
import type { ErrorFamily } from "./error-families.ts";

export const AGENT_ERRORS = {
  AGENT_NOT_ENROLLED: {
    family: "invalid",
    hint: "On the server: `lockstep agent invite TARGET`; here: `lockstep agent enroll`.",
  },
  AGENT_REVOKED: {
    family: "unauthenticated",
    hint: "Ask for a new code with `lockstep agent invite TARGET`, then `lockstep agent enroll`.",
  },
  AGENT_ACTIVE: {
    family: "conflict",
    hint: "To replace the active agent: `lockstep agent invite TARGET --replace`.",
  },
  AGENT_ENROLLED: {
    family: "conflict",
    hint: "To replace this machine's identity: `lockstep agent enroll --replace`.",
  },
  AGENT_RUNNING: {
    family: "conflict",
    hint: "Only one program at a time can use an identity: stop the other one, or give the service a target of its own.",
  },
  AGENT_CLOCK: {
    family: "unauthenticated",
    hint: "Correct the machine's clock: it must be within one minute of the server's.",
  },
  AGENT_IDENTITY: {
    family: "integrity",
    hint: "The agent's own files were changed or damaged; enroll it again.",
  },
  PROGRAM_REFUSED: {
    family: "integrity",
    hint: "It was not run, and the program that is installed stays. Look at the server, and at what lies between.",
  },
  UPGRADE_UNDONE: {
    family: "rejected",
    hint: "The program from before runs again. See the service's log for why the new one did not report.",
  },
} as const satisfies Record<string, { family: ErrorFamily; hint: string }>;
