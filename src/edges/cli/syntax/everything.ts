/** Every command's syntax. Only words: what a command does is loaded when it is called. */
import { Command } from "commander";
import type { Attach } from "../cli.ts";
import { attachAgents, attachRun } from "./agents.ts";
import { attachAlerts } from "./alerts.ts";
import { attachCompletion } from "./completion.ts";
import { attachConfig } from "./config.ts";
import { attachDemo } from "./demo.ts";
import { attachDoctor } from "./doctor.ts";
import { attachInit } from "./init.ts";
import { attachRecord } from "./record.ts";
import { attachRenewals } from "./renewals.ts";
import { attachKeys, attachRoles } from "./roles.ts";
import { attachRollouts } from "./rollouts.ts";
import { attachSecrets, attachTokens } from "./secrets.ts";
import { attachSteps } from "./steps.ts";
import { attachTruth } from "./truth.ts";

type Part = (program: Command, attach: Attach) => void;

/** In the order of the help: what a newcomer needs first. */
const GROUPS: readonly (readonly [heading: string, parts: readonly Part[]])[] = [
  ["Describe what belongs where:", [attachInit, attachConfig]],
  ["Values and their rotation:", [attachSecrets, attachRollouts, attachRenewals, attachSteps]],
  ["See the state and the record:", [attachDoctor, attachTruth, attachAlerts, attachRecord]],
  ["Run it:", [attachDemo, attachRoles, attachAgents, attachRun]],
  ["Administration:", [attachTokens, attachKeys, attachCompletion]],
];

export function attachEverything(program: Command, attach: Attach): void {
  for (const [heading, parts] of GROUPS) {
    program.commandsGroup(heading);
    for (const part of parts) part(program, attach);
  }
  const [last = ""] = GROUPS.at(-1) ?? [];
  program.addHelpCommand(
    new Command("help").argument("[command]").description("how a command is used").helpGroup(last),
  );
}
