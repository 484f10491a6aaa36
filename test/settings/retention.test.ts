/** LOCKSTEP_KEEP as people write it. */
import { describe, expect, it } from "vitest";
import { toLockstepError } from "../../src/core/errors.ts";
import { DAY_MS, DEFAULT_RETENTION } from "../../src/core/retention.ts";
import { readSettings } from "../../src/settings/settings.ts";

const kept = (text: string) => readSettings({}, { LOCKSTEP_KEEP: text }).retention;

describe("how long history is kept", () => {
  it.each([
    ["", {}],
    ["changes=30d", { changes: 30 * DAY_MS }],
    ["changes=1d, pushes=forever", { changes: DAY_MS, pushes: null }],
    [" pushes=36500d\tmessages=7d ", { pushes: 36_500 * DAY_MS, messages: 7 * DAY_MS }],
  ])("%j changes what it names", (text, changed) => {
    expect(kept(text)).toEqual({ ...DEFAULT_RETENTION, ...changed });
  });

  it.each([
    "pushes",
    "pushes=",
    "pushes=0d",
    "pushes=30",
    "pushes=-1d",
    "pushes=1.5d",
    "pushes=36501d",
    "pushes=Forever",
    "pushes=1d=2d",
    "audit=30d",
    "constructor=1d",
    "pushes=1d,pushes=2d",
  ])("%j is refused by name, and not quoted", (text) => {
    let refusal: unknown;
    try {
      kept(text);
    } catch (error) {
      refusal = error;
    }
    const { code, message, details } = toLockstepError(refusal);
    expect({ code, details }).toEqual({ code: "SETTING_INVALID", details: { setting: "LOCKSTEP_KEEP" } });
    expect(message).not.toContain(text);
  });
});
