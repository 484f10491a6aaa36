/**
 * What lockstep.yaml says of a machine with an agent: which files, what restarts. Commands by name only: what a name
 * means stands in the machine's own policy. Pure.
 */
import { z } from "zod";
import { LockstepError } from "../../../core/errors.ts";
import type { JsonObject } from "../../../core/json.ts";
import { parseConfig } from "../../../core/plan/parse-target-config.ts";
import { isPlainPath } from "../../../lib/plain-path.ts";
import { launchdLabel, SIGNALS } from "../../placements/activation/config.ts";
import { systemdName, unitName } from "../../placements/activation/systemd-name.ts";
import { alsoCheckSchema } from "../../placements/host-path.ts";
import { type PlacedFile, placedFileSchema } from "../../placements/placement.ts";

const file = placedFileSchema
  .refine(({ path }) => isPlainPath(path), {
    message: "must be plain: without `.`, doubled or closing slashes",
    path: ["path"],
  })
  .refine(({ mode }) => (Number.parseInt(mode, 8) & 0o627) === 0o600, {
    message: "must let the owner read and write, at most a group read, and nobody else anything",
    path: ["mode"],
  });

const commandName = z
  .string({ error: "must be a command's name; its words stand in the machine's own policy" })
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/,
    "must be a command's name; its words stand in the machine's own policy",
  );
const seconds = z.int().min(1).max(3_600);

const activate = z
  .strictObject({
    /** `{ unit: NAME, user: true }`: of the user that the agent runs as. */
    systemd: systemdName.optional(),
    launchd: launchdLabel.optional(),
    command: commandName.optional(),
    signal: z
      .strictObject({ unit: z.union([unitName, launchdLabel]), name: z.enum(SIGNALS).default("HUP") })
      .optional(),
    timeoutSeconds: seconds.default(60),
  })
  .refine(
    ({ systemd, launchd, command, signal }) =>
      [systemd, launchd, command, signal].filter((one) => one !== undefined).length === 1,
    "name one of `systemd`, `launchd`, `command`, `signal`",
  );
export type NamedActivation = z.output<typeof activate>;

const health = z.strictObject({ command: commandName, withinSeconds: seconds.default(60) });
export type NamedHealth = z.output<typeof health>;

const schema = z.strictObject({
  agent: z.strictObject({
    /** For containers: many identities at once, each as long as its container. */
    shortLived: z.boolean().default(false),
  }),
  /** Without any, what is bound here goes into the environment of `lockstep run`'s program. */
  files: z
    .array(file)
    .refine((files) => new Set(files.map(({ path }) => path)).size === files.length, "names a file twice")
    .default([]),
  activate: activate.optional(),
  health: health.optional(),
  alsoCheck: alsoCheckSchema.optional(),
});

export interface AgentConfig {
  readonly shortLived: boolean;
  readonly files: readonly PlacedFile[];
  readonly activate: NamedActivation | null;
  readonly health: NamedHealth | null;
  /** Left out: none. */
  readonly alsoCheck?: readonly string[];
}

/** Throws CONFIG_INVALID with `details.path`. */
export function parseAgent(raw: unknown): { readonly config: JsonObject; readonly credentials: null } {
  const {
    agent,
    files,
    activate: named = null,
    health: check = null,
    alsoCheck = [],
  } = parseConfig(schema, raw);
  if (named !== null && files.length === 0) {
    throw new LockstepError("CONFIG_INVALID", "has nothing to restart for: the target names no file", {
      details: { path: ["activate"] },
    });
  }
  if (check !== null && named === null) {
    throw new LockstepError("CONFIG_INVALID", "needs `activate`: without a restart nothing is checked", {
      details: { path: ["health"] },
    });
  }
  const config: AgentConfig = {
    shortLived: agent.shortLived,
    files,
    activate: named,
    health: check,
    ...(alsoCheck.length === 0 ? {} : { alsoCheck }),
  };
  return { config: JSON.parse(JSON.stringify(config)) as JsonObject, credentials: null };
}

/** What was stored came from `parseAgent`. */
export function readConfig(config: JsonObject): AgentConfig {
  return config as unknown as AgentConfig;
}
