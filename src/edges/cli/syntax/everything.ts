/** Every command's syntax. Only words: what a command does is loaded when it is called. */
import type { Command } from "commander";
import type { Attach } from "../cli.ts";
import { attachRecord } from "./record.ts";
import { attachRollouts } from "./rollouts.ts";
import { attachTruth } from "./truth.ts";

export function attachEverything(program: Command, attach: Attach): void {
  for (const part of [attachTruth, attachRollouts, attachRecord]) part(program, attach);
}
