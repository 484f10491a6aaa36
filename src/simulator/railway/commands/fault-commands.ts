/** Switching faults on and off. */
import { z } from "zod";
import { FAULT } from "../faults/fault.ts";
import { command } from "./command.ts";

const NOTHING = z.strictObject({});

export const FAULT_COMMANDS = {
  add: command(FAULT, ({ faults }, fault) => ({ faultId: faults.add(fault) })),
  list: command(NOTHING, ({ faults }) => faults.list()),
  /** Switches all off. What is held already stays held until it is released. */
  clear: command(NOTHING, ({ faults }) => faults.clear()),
  held: command(NOTHING, ({ faults }) => faults.held()),
  /** Lets held answers go and late writes land: of one fault, or all. Answers how many. */
  release: command(z.strictObject({ faultId: z.string().optional() }), ({ faults }, { faultId }) =>
    faults.release(faultId),
  ),
};
