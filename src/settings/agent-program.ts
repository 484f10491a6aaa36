/** What the agent's program needs of its machine and its user. */
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { type Environment, path, text } from "./env-variables.ts";

export interface AgentSettings {
  /** Holds the agent's keys and its sealed cache. Made with mode 0700. */
  readonly stateDirectory: string;
  /** Holds an enrolment code, for who has no terminal; null: asked for, or not needed. */
  readonly enrolmentFile: string | null;
  /** The host's own policy; null: where it is looked for by default. */
  readonly policyFile: string | null;
  readonly homeDirectory: string;
  /** Where a program that came as one file is kept; null or left out: in its usual place. */
  readonly programDirectory?: string | null;
  /** For programs that the agent starts, which are given a part of it. */
  readonly env: Environment;
}

/** As a service's arguments say them: they win over the environment. */
export interface AgentFlags {
  readonly state?: string;
  readonly policy?: string;
}

export function agentSettings(env: Environment, flags: AgentFlags = {}): AgentSettings {
  const given = (value: string | undefined): string | null => (value === undefined ? null : resolve(value));
  return Object.freeze({
    stateDirectory: given(flags.state) ?? path(env, "LOCKSTEP_AGENT_STATE") ?? defaultStateDirectory(env),
    enrolmentFile: path(env, "LOCKSTEP_ENROLMENT_FILE"),
    policyFile: given(flags.policy) ?? path(env, "LOCKSTEP_AGENT_POLICY"),
    homeDirectory: homedir(),
    programDirectory: path(env, "LOCKSTEP_AGENT_PROGRAM"),
    env,
  });
}

function defaultStateDirectory(env: Environment): string {
  if (process.getuid?.() === 0) return "/var/lib/lockstep-agent";
  if (process.platform === "darwin") {
    return join(homedir(), "Library", "Application Support", "Lockstep Agent");
  }
  const xdg = text(env, "XDG_STATE_HOME");
  const base = xdg !== null && isAbsolute(xdg) ? xdg : join(homedir(), ".local", "state");
  return join(base, "lockstep-agent");
}
