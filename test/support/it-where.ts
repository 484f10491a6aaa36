/**
 * A case that is about something a place may lack by its nature. Where it does not apply there is no such test: a
 * skipped one would say that this machine lacks something.
 */
import { it } from "vitest";

export function itWhere(applies: boolean): (name: string, test: () => Promise<void>) => void {
  return (name, test) => {
    if (applies) it(name, test);
  };
}
