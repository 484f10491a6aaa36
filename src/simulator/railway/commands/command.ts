/**
 * A command is something that a test or a demo does to the simulated platform from outside the API. One table of
 * commands is the handle in the same process, the control endpoint, and the client of that endpoint.
 */
import type { z } from "zod";
import type { Simulation } from "../simulation.ts";

export interface Command<Input extends z.ZodType, Result> {
  readonly input: Input;
  readonly run: (simulation: Simulation, input: z.output<Input>) => Result;
}

export function command<Input extends z.ZodType, Result>(
  input: Input,
  run: (simulation: Simulation, input: z.output<Input>) => Result,
): Command<Input, Result> {
  return { input, run };
}

type Arguments<Input> = Record<never, never> extends Input ? [input?: Input] : [input: Input];

/** The commands as methods. Wrong input throws. */
export type Handle<Table> = {
  readonly [Name in keyof Table]: Table[Name] extends Command<infer Input, infer Result>
    ? (...input: Arguments<z.input<Input>>) => Result
    : never;
};

/** The same, over a wire: every answer has been JSON. */
export type RemoteHandle<Table> = {
  readonly [Name in keyof Table]: Table[Name] extends Command<infer Input, infer Result>
    ? (...input: Arguments<z.input<Input>>) => Promise<Awaited<Result>>
    : never;
};

export function bindCommands<Table extends object>(simulation: Simulation, table: Table): Handle<Table> {
  const methods = Object.entries(table).map(([name, one]: [string, Command<z.ZodType, unknown>]) => [
    name,
    (input: unknown = {}) => one.run(simulation, one.input.parse(input)),
  ]);
  // The keys are the table's own, and each method parses what its command declares.
  return Object.fromEntries(methods) as Handle<Table>;
}
