/** Every command's syntax. Only words: what a command does is loaded when it is called. */
import type { Command } from "commander";
import type { Attach } from "../cli.ts";
import { attachConfig } from "./config.ts";
import { attachInit } from "./init.ts";
import { attachRecord } from "./record.ts";
import { attachKeys, attachRoles } from "./roles.ts";
import { attachRollouts } from "./rollouts.ts";
import { attachSecrets, attachTokens } from "./secrets.ts";
import { attachTruth } from "./truth.ts";

export function attachEverything(program: Command, attach: Attach): void {
  for (const part of [
    attachRoles,
    attachInit,
    attachConfig,
    attachSecrets,
    attachRollouts,
    attachTruth,
    attachRecord,
    attachTokens,
    attachKeys,
  ])
    part(program, attach);
}
