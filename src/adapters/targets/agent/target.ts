/**
 * A machine with an agent as a target: files there, or the environment of the program that `lockstep run` starts.
 *
 * Nobody dials it. What it must hold is computed when its agent asks, and what stands there is what it reports; so
 * nothing here opens anything. Fenced: the agent refuses whatever is older than what it accepted.
 */
import { LockstepError } from "../../../core/errors.ts";
import type { LadderEvidence } from "../../../core/evidence.ts";
import type { AgentKind } from "../../../core/ports/target-kind.ts";
import { agentUnit } from "../../../core/store/activations.ts";
import { namedUnit } from "../../placements/activation/systemd-name.ts";
import { assertHoldable } from "../../placements/placement.ts";
import { type AgentConfig, type NamedActivation, parseAgent, readConfig } from "./config.ts";

/** In a binding: the environment of the program that `lockstep run` starts. */
const ENVIRONMENT = "environment";
/** Linux's MAX_ARG_STRLEN: longer, and the program does not start. */
const MAX_VARIABLE_BYTES = 128 * 1024 - 1;

export const agentKind: AgentKind = {
  kind: "agent",
  delivery: "agent",
  /** From what its agent told last, which looks every minute. */
  checkEveryMs: 30_000,

  parse: parseAgent,

  destination: () => "agent",

  locationKey: (_config, placement, { environment, name }) => `agent:${environment}/${name}:${placement}`,

  probesThere: () => ["http", "file"],

  resolvePlacement(stored, file) {
    const paths = readConfig(stored).files.map(({ path }) => path);
    const [only] = paths;
    if (file === undefined && only === undefined) return "";
    if (file === undefined && paths.length === 1 && only !== undefined) return only;
    if (file !== undefined && paths.includes(file)) return file;
    if (file === ENVIRONMENT) return "";
    const why =
      file === undefined
        ? "must say which `file`, because the target has several"
        : "names a file that the target does not have";
    throw new LockstepError("CONFIG_INVALID", why, { details: { path: ["file"] } });
  },

  capabilities: (stored) => ({
    maxEvidence: provable(readConfig(stored)),
    readable: true,
    deletable: true,
    conditionalWrite: true,
    inFlightMs: 0,
  }),

  units(stored, targetId) {
    const { activate } = readConfig(stored);
    const name = activate === null ? null : nameOf(activate);
    return ["child", ...(name === null ? [] : [name])].map((one) =>
      agentUnit(targetId, one, one.replace(/^systemd-user:(.*)$/, "systemd:$1 (user)")),
    );
  },

  machine(stored) {
    const name = readConfig(stored).activate?.systemd;
    return { ssh: null, systemd: name === undefined ? null : namedUnit(name) };
  },

  remarks(stored) {
    const { activate, health } = readConfig(stored);
    if (activate?.command === undefined || health !== null) return [];
    return [
      {
        path: ["activate", "command"],
        message: "proves no use: that it ends well shows nothing of the service",
        remedy:
          "Add a `health:` check; until then a rotation in two steps needs `evidence: attested` at the binding.",
      },
    ];
  },

  assertHoldable(stored, address, value) {
    if (address.placement !== "") return assertHoldable(readConfig(stored).files, address, value);
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,254}$/.test(address.key)) {
      throw new LockstepError(
        "KEY_INVALID",
        `"${address.key}" cannot be the name of an environment variable.`,
      );
    }
    const text = value?.reveal() ?? "";
    if (text.includes("\0") || Buffer.byteLength(`${address.key}=${text}`) > MAX_VARIABLE_BYTES) {
      throw new LockstepError(
        "VALUE_INVALID",
        `The value of ${address.key} cannot stand in an environment: it is too long, or holds a NUL byte.`,
      );
    }
  },
};

/** As its agent names it in reports. */
function nameOf({ systemd, launchd, signal, command }: NamedActivation): string | null {
  if (systemd !== undefined) {
    const { unit, isUser } = namedUnit(systemd);
    return `${isUser ? "systemd-user" : "systemd"}:${unit}`;
  }
  if (launchd !== undefined) return `launchd:${launchd}`;
  if (signal !== undefined) return `signal:${signal.unit}`;
  return command === undefined ? null : `command:${command}`;
}

/**
 * By the agent's own child it is seen that the process has the values; by a restart that it was started after. That a
 * command of the machine's policy ended well shows nothing of the service, unless a health check says that it works.
 */
function provable({ files, activate, health }: AgentConfig): LadderEvidence {
  if (files.length === 0) return "running";
  if (activate === null || activate.signal !== undefined) return "stored";
  const { systemd, command } = activate;
  if (systemd !== undefined) return namedUnit(systemd).unit.endsWith(".service") ? "deployed" : "stored";
  return command === undefined || health !== null ? "deployed" : "stored";
}
