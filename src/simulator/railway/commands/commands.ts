/** All commands, by handle. */
import { DEPLOYMENT_COMMANDS } from "./deployment-commands.ts";
import { FAULT_COMMANDS } from "./fault-commands.ts";
import { LOG_COMMANDS } from "./log-commands.ts";
import { VARIABLE_COMMANDS } from "./variable-commands.ts";
import { WORLD_COMMANDS } from "./world-commands.ts";

const STATE_COMMANDS = { ...WORLD_COMMANDS, ...VARIABLE_COMMANDS, ...DEPLOYMENT_COMMANDS };

export const COMMANDS = { state: STATE_COMMANDS, faults: FAULT_COMMANDS, log: LOG_COMMANDS };
